package pipeline

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/quantize"
)

// sensitivityFile holds the measurement, keyed by supernet and pictures.
const sensitivityFile = "scores/sensitivity.json"

// sensitivityPictures is the number of pictures of a measurement: enough to rank layers, too few to cost much.
const sensitivityPictures = 128

// Sensitivity says what each layer loses by itself: the distance to the float model with the layer's weights, or the
// tensor that it reads, at the lowest width and everything else at the widest.
type Sensitivity struct {
	Pictures int                `json:"pictures"`
	Base     float64            `json:"base"` // distance with everything at the widest
	Layers   []LayerSensitivity `json:"layers"`
}

// LayerSensitivity is one layer. Bits are 0 and losses mean nothing where there is no choice.
type LayerSensitivity struct {
	Node  string  `json:"node"`
	W     int     `json:"w"` // the lowest width of its weights
	LossW float64 `json:"loss_w"`
	A     int     `json:"a"` // the lowest width of the tensor it reads, which other layers may read, too
	LossA float64 `json:"loss_a"`
}

// measureSensitivity writes sensitivityFile unless it holds this supernet's.
func (j *job) measureSensitivity(ctx context.Context) error {
	if _, one := onlyPolicy(j.plan); one {
		return nil
	}
	n := min(sensitivityPictures, j.o.SearchSamples)
	key, err := fingerprint(j.supernetPrint(), j.data.stamp, n, j.o.Profiles[0])
	if err != nil {
		return err
	}
	_, err = cached(j.w, sensitivityFile, key, func() (Sensitivity, error) {
		rep := j.o.Events.start(StageSearch, "sensitivity", "each layer at its lowest width")
		e, err := j.scoring(ctx, n, "sensitivity")
		if err != nil {
			return Sensitivity{}, err
		}
		s, err := e.sensitivity(ctx)
		rep.done(fmt.Sprintf("%d layers", len(s.Layers)))
		return s, err
	})
	return stageError(StageSearch, err)
}

// sensitivity scores every layer and tensor alone at its lowest width.
func (e *evaluator) sensitivity(ctx context.Context) (Sensitivity, error) {
	s := Sensitivity{Pictures: e.n}
	widest := e.plan.Max()
	policies := []quantize.Policy{widest}
	ofTensor := map[int]int{} // policy of a point
	for i, l := range e.plan.Layers {
		row := LayerSensitivity{Node: l.Node}
		if low := e.plan.Min().W[i]; !l.Fixed && low < widest.W[i] {
			row.W = low
			policies = append(policies, widest.Clone())
			policies[len(policies)-1].W[i] = low
		}
		if low := e.plan.Min().A[l.Point]; e.plan.Points[l.Point].Searched() && low < widest.A[l.Point] {
			row.A = low
			if _, ok := ofTensor[l.Point]; !ok {
				ofTensor[l.Point] = len(policies)
				policies = append(policies, widest.Clone())
				policies[len(policies)-1].A[l.Point] = low
			}
		}
		s.Layers = append(s.Layers, row)
	}
	scores, err := e.Evaluate(ctx, policies)
	if err != nil {
		return s, err
	}
	s.Base = scores[0].Loss
	next := 1
	for i := range s.Layers {
		row, point := &s.Layers[i], e.plan.Layers[i].Point
		if row.W > 0 {
			row.LossW = scores[next].Loss
			next++
		}
		if row.A > 0 {
			row.LossA = scores[ofTensor[point]].Loss
			if ofTensor[point] == next {
				next++
			}
		}
	}
	return s, nil
}
