package record

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// Sensitivities is scores/sensitivity.json: what all targets of a supernet share. It is written as it grows, so that a
// search that was interrupted goes on.
type Sensitivities struct {
	Stamp       string              `json:"plan"`    // of what was measured
	Layers      []string            `json:"layers"`  // nodes, in the order of Sensitivity.W
	Tensors     []string            `json:"tensors"` // in the order of Sensitivity.A
	Reads       []int               `json:"reads"`   // per layer, which of Tensors it reads
	Samples     int                 `json:"pictures"`
	Sensitivity *search.Sensitivity `json:"sensitivity"`
	Front       []search.Point      `json:"front"`   // the best policies by sensitivities, from narrow to wide, evaluated
	Uniform     []search.Point      `json:"uniform"` // uniform policies, evaluated
}

// Sensitivity says what each layer loses by itself: the distance to the widest policy with the layer's weights, or the
// tensor that it reads, at the lowest width and everything else at the widest.
type Sensitivity struct {
	Samples int                `json:"pictures"`
	Base    float64            `json:"base"` // distance with everything at the widest
	Layers  []LayerSensitivity `json:"layers"`
}

// LayerSensitivity is one layer. Bits are 0 and losses mean nothing where there is no choice.
type LayerSensitivity struct {
	Node  string  `json:"node"`
	W     int     `json:"w"` // the lowest width of its weights
	LossW float64 `json:"loss_w"`
	A     int     `json:"a"` // the lowest width of the tensor it reads, which other layers may read, too
	LossA float64 `json:"loss_a"`
}

// Lowest is what the table says of the lowest widths, nil before it is complete.
func (s *Sensitivities) Lowest() *Sensitivity {
	if len(s.Front) == 0 || s.Sensitivity == nil {
		return nil
	}
	out := &Sensitivity{Samples: s.Samples, Base: s.Sensitivity.Base.Loss}
	for i, node := range s.Layers {
		row := LayerSensitivity{Node: node}
		row.W, row.LossW = lowest(s.Sensitivity.W[i])
		row.A, row.LossA = lowest(s.Sensitivity.A[s.Reads[i]])
		out.Layers = append(out.Layers, row)
	}
	return out
}

func lowest(c search.Costs) (bits int, loss float64) {
	for b, l := range c {
		if bits == 0 || b < bits {
			bits, loss = b, l
		}
	}
	return bits, loss
}

// Check implements workspace.Document.
func (s *Sensitivities) Check(plan *quantize.Plan) error {
	if len(s.Reads) != len(s.Layers) || s.Samples < 0 {
		return fmt.Errorf("%d layers read %d tensors, on %d samples", len(s.Layers), len(s.Reads), s.Samples)
	}
	for i, k := range s.Reads {
		if k < 0 || k >= len(s.Tensors) {
			return fmt.Errorf("layer %q reads tensor %d of %d", s.Layers[i], k, len(s.Tensors))
		}
	}
	if plan != nil {
		for i := range s.Layers {
			if i >= len(plan.Layers) || s.Layers[i] != plan.Layers[i].Node {
				return fmt.Errorf("layer %d is %q, which is none of the plan there", i, s.Layers[i])
			}
		}
	}
	if s.Sensitivity == nil {
		if len(s.Front) > 0 {
			return errors.New("it has policies and no sensitivities")
		}
		return nil
	}
	if len(s.Sensitivity.W) != len(s.Layers) || len(s.Sensitivity.A) != len(s.Tensors) {
		return fmt.Errorf("sensitivities of %d layers and %d tensors, of which there are %d and %d",
			len(s.Sensitivity.W), len(s.Sensitivity.A), len(s.Layers), len(s.Tensors))
	}
	for _, p := range slices.Concat(s.Front, s.Uniform) {
		if len(p.Policy.W) != len(s.Layers) || len(p.Policy.A) != len(s.Tensors) {
			return fmt.Errorf("a policy has %d layers and %d tensors, of which there are %d and %d", len(p.Policy.W), len(p.Policy.A), len(s.Layers), len(s.Tensors))
		}
		if err := p.Check(plan); err != nil {
			return err
		}
	}
	return s.Sensitivity.Check(plan)
}

// Name sets the layers and tensors to those of a plan.
func (s *Sensitivities) Name(plan *quantize.Plan) {
	s.Layers, s.Tensors, s.Reads = nil, nil, nil
	for i := range plan.Layers {
		s.Layers, s.Reads = append(s.Layers, plan.Layers[i].Node), append(s.Reads, plan.Layers[i].Point)
	}
	for i := range plan.Points {
		s.Tensors = append(s.Tensors, plan.Points[i].Tensor)
	}
}
