package pipeline

import "github.com/mpqc/mpqc/quantize/search"

// Sensitivity says what each layer loses by itself: the distance to the widest policy with the layer's weights, or the
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

// lowest is what a survey says of the lowest widths, nil before it is complete.
func (s *Survey) lowest() *Sensitivity {
	if len(s.Front) == 0 || s.Sensitivity == nil {
		return nil
	}
	out := &Sensitivity{Pictures: s.Pictures, Base: s.Sensitivity.Base.Loss}
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
