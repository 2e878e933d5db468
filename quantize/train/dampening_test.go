package train

import (
	"math"
	"math/rand/v2"
	"slices"
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
		got := r.trainer.dampen(q, weight)
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

// TestDampingGradient compares the gradient of the damping term with central differences of its loss.
func TestDampingGradient(t *testing.T) {
	_, tr := trainer(t, nothing)
	rng := rand.New(rand.NewPCG(7, 7))
	pulled := 0
	for _, q := range []quantize.Policy{tr.net.Plan.Min(), mixed(tr.net.Plan), tr.net.Plan.Uniform(4)} {
		tr.exec.ZeroGrad()
		tr.dampen(q, 1)
		var gradients [][]float32 // every further call adds to them
		for i := range tr.net.Plan.Layers {
			gradients = append(gradients, slices.Clone(tr.net.Weight(i).Grad))
		}
		for i := range tr.net.Plan.Layers {
			l := &tr.net.Plan.Layers[i]
			w, steps := tr.net.Weight(i), tr.net.WeightSteps(i).At(q.W[i]).Data
			inner := len(w.Data) / l.OutChannels
			gradient := gradients[i]
			for range 12 {
				j := rng.IntN(len(w.Data))
				keep, h := w.Data[j], steps[j/inner]/64
				if v := float64(keep / steps[j/inner]); math.Abs(v-math.Floor(v)-0.5) < 0.05 {
					continue // the level changes within the difference
				}
				w.Data[j] = keep + h
				hi, up := w.Data[j], tr.dampen(q, 1)
				w.Data[j] = keep - h
				lo, down := w.Data[j], tr.dampen(q, 1)
				w.Data[j] = keep
				want := (up - down) / (float64(hi) - float64(lo))
				if math.Abs(want-float64(gradient[j])) > 1e-3*math.Abs(want)+1e-5*float64(steps[j/inner]) {
					t.Errorf("%s at %d bits, weight %d: gradient %g, central difference %g", l.Node, q.W[i], j, gradient[j], want)
				}
				if want != 0 {
					pulled++
				}
			}
		}
	}
	if pulled < 20 {
		t.Errorf("only %d of the weights were pulled at all", pulled)
	}
}
