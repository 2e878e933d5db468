package pipeline

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/pipeline/search"
	"github.com/mpqc/mpqc/quantize"
)

// frontFile holds the policies near which training draws its random paths. It stays for a training that goes on.
const frontFile = "front.json"

// frontPictures is the number of training pictures that the calibrated network is scored on.
const frontPictures = 128

// frontVersion rises when the front would be another one with the same options.
const frontVersion = 1

// drawn is front.json, written as it grows.
type drawn struct {
	Stamp       string              `json:"stamp"` // fingerprint of what it was measured on
	Sensitivity *search.Sensitivity `json:"sensitivity"`
	Front       []quantize.Policy   `json:"front"`
}

// front are the policies that the calibrated network is best with, over the whole range of budgets, where random paths are
// drawn near them; else nil. Drawn from everything, most paths have widths that no budget would choose, such as two bits where
// a layer bears eight only, and these have the largest gradients: on the embedded example they cost the whole network more
// than training gave to it.
func (j *job) front(ctx context.Context, rep *reporter) ([]quantize.Policy, error) {
	if _, one := onlyPolicy(j.plan); one || j.o.Sampling != SamplingFront || j.o.Paths < 2 {
		return nil, nil
	}
	stamp, err := fingerprint(j.w.Manifest.Stages[string(StageCalibrate)].Fingerprint, j.o.Seed, j.data.stamp, frontVersion)
	if err != nil {
		return nil, err
	}
	d := drawn{Stamp: stamp}
	var old drawn
	if err := j.w.ReadJSON(frontFile, &old); err == nil && old.Stamp == stamp {
		d = old
	}
	if len(d.Front) > 0 {
		return d.Front, nil
	}
	defer j.endSearch() // training needs its memory, and what it holds is of the calibrated network
	ev, err := j.scoring(ctx, j.data.train, j.data.some(frontPictures, "front", *j.o.Seed))
	if err != nil {
		return nil, err
	}
	ev.norms = 1
	rep.message(fmt.Sprintf("sensitivities of the calibrated network on %d pictures, for the paths to train", ev.n))
	d.Sensitivity, err = search.Measure(ctx, j.plan, ev, d.Sensitivity, func(s *search.Sensitivity, done, total int) error {
		d.Sensitivity = s
		rep.progress(int64(done), int64(total), "sensitivities")
		return j.w.WriteJSON(frontFile, d)
	})
	if err != nil {
		return nil, fmt.Errorf("measure the calibrated network: %w", err)
	}
	best, err := predicted(ctx, j.plan, d.Sensitivity, frontTargets(j.plan))
	if err != nil {
		return nil, err
	}
	d.Front, err = worthwhile(j.plan, d.Sensitivity, ev.guess()*frontLoss, append([]quantize.Policy{j.plan.Min()}, best...))
	if err != nil {
		return nil, err
	}
	return d.Front, j.w.WriteJSON(frontFile, d)
}

// frontLoss is the share of the loss of a guess that a policy of the front may lose. One tensor of the embedded example loses all
// below six bits: with the narrowest policy among those that are drawn its supernet ends worse at every budget.
const frontLoss = 0.25

// worthwhile are the policies that are predicted to lose less than a limit, and the widest one. From where the calibrated network knows
// next to nothing, what a path could learn is not worth what it does to the weights.
func worthwhile(plan *quantize.Plan, s *search.Sensitivity, limit float64, policies []quantize.Policy) ([]quantize.Policy, error) {
	var kept []quantize.Policy
	for _, p := range policies {
		loss, err := s.Loss(plan, p)
		if err != nil {
			return nil, err
		}
		if loss < limit || p.Equal(plan.Max()) {
			kept = append(kept, p)
		}
	}
	return kept, nil
}

// frontSteps is the number of policies of the front between two uniform widths.
const frontSteps = 4

// frontTargets are the budgets of the front: BitOPs in steps, and weights alone at every width, beside activations of eight bits.
func frontTargets(plan *quantize.Plan) []quantize.Target {
	targets := budgets(plan, frontSteps)
	for _, b := range search.NewSpace(plan, quantize.Target{}).Levels() {
		t, err := quantize.ParseTarget(fmt.Sprintf("w%da8", b))
		if err == nil && t.Validate(plan) == nil { // weights and activations may end at different widths
			targets = append(targets, t)
		}
	}
	return targets
}
