package fakequant

import (
	"math"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
)

// newNormOf is newNorm with as many channels.
func newNormOf(channels int) *SwitchNorm {
	gamma, ones := normals(channels, 7), make([]float32, channels)
	for i := range ones {
		ones[i] = 1
	}
	param := func(name string, v []float32) *engine.Param {
		return engine.NewParam(name, engine.Scale, tensor.Shape{channels}, v)
	}
	set := &NormSet{param("gamma", gamma), param("beta", slices.Clone(gamma)), make([]float32, channels), ones}
	return &SwitchNorm{EPS: 1e-5, Keep: 0.9, sets: map[[2]int]*NormSet{{4, 4}: set}, order: [][2]int{{4, 4}}, current: set}
}

// TestNormColumns compares y and all gradients of norms on short planes with their definition, over several blocks of
// samples and strips of channels, with and without a comparison, at any number of threads to the bit.
func TestNormColumns(t *testing.T) {
	for _, shape := range []tensor.Shape{{40, 140, 2, 4}, {70, 9, 8, 8}, {33, 1030}, {8, 3, 5, 1}} {
		t.Run(shape.String(), func(t *testing.T) {
			x, dy, record := normals(shape.Numel(), 1), normals(shape.Numel(), 2), normals(shape.Numel(), 3)
			for _, weight := range []float32{0, 20} {
				var first [][]float32
				for _, threads := range []int{1, 2, 5} {
					pool := par.New(threads)
					o := newNormOf(shape[1])
					e, p := through(t, o, x, shape, pool)
					if weight != 0 {
						o.tap = tap{mode: Compare, weight: weight, record: record, size: len(record)}
					}
					if err := e.Forward(t.Context()); err != nil {
						t.Fatal(err)
					}
					y := slices.Clone(e.Output(0).Data)
					copy(e.OutputGrad(0).Data, dy)
					if err := e.Backward(t.Context()); err != nil {
						t.Fatal(err)
					}
					pool.Close()
					got := [][]float32{y, p.Grad, o.current.Gamma.Grad, o.current.Beta.Grad}
					if first == nil {
						first = got
						want := normByDefinition(o, shape, x, dy, record, float64(weight))
						for i, name := range []string{"y", "dx", "dgamma", "dbeta"} {
							testkit.Close(t, name, got[i], want[i], 2e-5)
						}
					}
					for i := range got {
						if !slices.Equal(got[i], first[i]) {
							t.Errorf("result %d differs with %d threads", i, threads)
						}
					}
				}
			}
		})
	}
}

// normByDefinition is y, dx, dgamma and dbeta in float64.
func normByDefinition(o *SwitchNorm, shape tensor.Shape, x, dy, record []float32, weight float64) [4][]float64 {
	n, c, plane := shape[0], shape[1], shape[2:].Numel()
	out := [4][]float64{make([]float64, len(x)), make([]float64, len(x)), make([]float64, c), make([]float64, c)}
	for ch := range c {
		each := func(f func(i int)) {
			for at := ch * plane; at < len(x); at += c * plane {
				for i := range plane {
					f(at + i)
				}
			}
		}
		var mean, variance, dot, sum float64
		m := float64(n * plane)
		each(func(i int) { mean += float64(x[i]) / m })
		each(func(i int) { variance += (float64(x[i]) - mean) * (float64(x[i]) - mean) / m })
		inv := 1 / math.Sqrt(variance+float64(o.EPS))
		gamma, beta := float64(o.current.Gamma.Data[ch]), float64(o.current.Beta.Data[ch])
		hat := func(i int) float64 { return (float64(x[i]) - mean) * inv }
		slope := func(i int) float64 {
			return float64(dy[i]) + 2*weight/float64(len(x))*(out[0][i]-float64(record[i]))
		}
		each(func(i int) { out[0][i] = gamma*hat(i) + beta })
		each(func(i int) { dot, sum = dot+slope(i)*hat(i), sum+slope(i) })
		each(func(i int) { out[1][i] = gamma * inv * (slope(i) - sum/m - hat(i)*dot/m) })
		out[2][ch], out[3][ch] = dot, sum
	}
	return out
}
