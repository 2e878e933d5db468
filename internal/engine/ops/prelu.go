package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// PRelu is y = x where x >= 0, else slope*x, the slope broadcast to x; dx = dy or dy*slope, dslope = 0 or dy*x.
type PRelu struct{ binary }

// Type is "PRelu".
func (*PRelu) Type() string { return "PRelu" }

// Infer broadcasts the slope, not x.
func (o *PRelu) Infer(n *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	out, err := o.binary.Infer(n, in)
	if err == nil && !out[0].Equal(in[0]) {
		err = fmt.Errorf("slope %s does not fit input %s", in[1], in[0])
	}
	return out, err
}

func preluRow(a []float32, ia int, b []float32, ib int, y []float32) {
	for k := range y {
		v := a[k*ia]
		if v < 0 {
			v *= b[k*ib]
		}
		y[k] = v
	}
}

func preluSlopeA(dy, a []float32, ia int, b []float32, ib int, g []float32) {
	for k, v := range dy {
		if a[k*ia] < 0 {
			v *= b[k*ib]
		}
		g[k] = v
	}
}

func preluSlopeB(dy, a []float32, ia int, _ []float32, _ int, g []float32) {
	for k, v := range dy {
		g[k] = v * min(a[k*ia], 0)
	}
}

func buildPRelu(Attributes) (engine.Op, error) {
	return &PRelu{binary{value: preluRow, slopes: [2]slopeFunc{preluSlopeA, preluSlopeB}, retain: []int{0, 1}}}, nil
}
