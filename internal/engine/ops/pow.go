package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// Pow is y = a^b with broadcasting; da = dy*b*a^(b-1), db = dy*a^b*ln(a), 0 where a <= 0.
type Pow struct{ binary }

// Type is "Pow".
func (*Pow) Type() string { return "Pow" }

// Absorb turns an integer exponent into a float one.
func (*Pow) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	if len(in) != 2 || in[1] == nil || in[1].Ints == nil {
		return in, nil
	}
	e := &engine.Value{Name: in[1].Name, Shape: in[1].Shape}
	for _, v := range in[1].Ints {
		e.Const = append(e.Const, float32(v))
	}
	return []*engine.Value{in[0], e}, nil
}

func powRow(a []float32, ia int, b []float32, ib int, y []float32) {
	for k := range y {
		y[k] = float32(math.Pow(float64(a[k*ia]), float64(b[k*ib])))
	}
}

func powSlopeA(dy, a []float32, ia int, b []float32, ib int, g []float32) {
	for k, v := range dy {
		e := float64(b[k*ib])
		g[k] = float32(float64(v) * e * math.Pow(float64(a[k*ia]), e-1))
	}
}

func powSlopeB(dy, a []float32, ia int, b []float32, ib int, g []float32) {
	for k, v := range dy {
		g[k] = 0
		if x := float64(a[k*ia]); x > 0 {
			g[k] = float32(float64(v) * math.Pow(x, float64(b[k*ib])) * math.Log(x))
		}
	}
}

func buildPow(Attributes) (engine.Op, error) {
	return &Pow{binary{value: powRow, slopes: [2]slopeFunc{powSlopeA, powSlopeB}, retain: []int{0, 1}}}, nil
}
