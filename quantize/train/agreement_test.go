package train

import (
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/integer"
)

// TestSimulationMatchesIntegers runs the same path in float simulation and in integers, which are what an exported file
// computes. Sums of the simulation are rounded, so single codes may differ by one; predictions may not, but for ties.
func TestSimulationMatchesIntegers(t *testing.T) {
	for _, file := range []string{"models/resnet20-cifar10-bn.onnx"} {
		t.Run(file, func(t *testing.T) {
			c := newCalibrated(t, file, 32)
			pool := par.New(2)
			defer pool.Close()
			net := c.network(t)
			sim, err := NewSimulation(net, c.n, pool)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range []quantize.Policy{c.plan.Uniform(8), c.plan.Uniform(4), c.plan.Uniform(3), mixed(c.plan)} {
				exact, err := integer.Build(c.model, c.plan, net.Supernet(), q)
				if err != nil {
					t.Fatal(err)
				}
				want, err := exact.Run(t.Context(), pool, c.x, c.n, false)
				if err != nil {
					t.Fatal(err)
				}
				got, err := sim.Outputs(t.Context(), q, c.x, c.n)
				if err != nil {
					t.Fatal(err)
				}
				flips := 0
				for i := range c.n {
					if argmax(got[0][i*10:i*10+10]) != argmax(want.Logits[i*10:i*10+10]) {
						flips++
					}
				}
				var worst float32
				for i, v := range want.Logits {
					worst = max(worst, v-got[0][i], got[0][i]-v)
				}
				t.Logf("bits %v: %d flips, logits differ by up to %.3g", q.W[1], flips, worst)
				if flips > 1 {
					t.Errorf("%d of %d predictions differ", flips, c.n)
				}
			}
		})
	}
}

func argmax(x []float32) int { return slices.Index(x, slices.Max(x)) }

// mixed is a path with all widths.
func mixed(p *quantize.Plan) quantize.Policy {
	q := p.Max()
	for i := range q.W {
		c := p.Layers[i].Candidates
		q.W[i] = c[i%len(c)]
	}
	for i := range q.A {
		c := p.Points[i].Candidates
		q.A[i] = c[(i+1)%len(c)]
	}
	return q
}
