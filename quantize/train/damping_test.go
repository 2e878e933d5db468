package train

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/quantize"
)

// TestDamping computes the loss of a path and its gradient element by element.
func TestDamping(t *testing.T) {
	r := newReplay(t)
	const weight = 0.5
	for _, q := range r.policies(0) {
		r.trainer.exec.ZeroGrad()
		got := r.trainer.damp(q, weight)
		var want float64
		for i := range r.net.Plan.Layers {
			l := &r.net.Plan.Layers[i]
			if l.Fixed {
				continue
			}
			w, steps := r.net.Weight(i), r.net.WeightSteps(i).At(q.W[i]).Data
			lo, hi := quantize.Levels(q.W[i], true)
			unit := math.Ldexp(1, q.W[i]-l.Candidates[0])
			inner := len(w.Data) / l.OutChannels
			gradient, share := make([]float64, len(w.Data)), weight/float64(inner)
			for j, x := range w.Data {
				s := float64(steps[j/inner])
				level := math.RoundToEven(float64(x) / s)
				if v := float64(x) / s; v >= float64(lo) && v <= float64(hi) && math.Mod(level, unit) == 0 {
					d := float64(x) - s*level
					want += share / 2 * d * d
					gradient[j] = share * d
				}
			}
			testkit.Close(t, "gradient of "+l.Node, w.Grad, gradient, 1e-6)
		}
		testkit.Close(t, "loss", []float64{got}, []float64{want}, 1e-5)
	}
}
