package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
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

// TestSimulationOfOutputs: quantizers on results of convolutions, in front of LeakyRelu and HardSwish, are in the
// simulation as they are in the integer network.
func TestSimulationOfOutputs(t *testing.T) {
	for _, file := range []string{"darknet-21", "mobile-21-fixed"} {
		t.Run(file, func(t *testing.T) {
			m, err := onnx.Load("../../onnx/pass/testdata/exporters/" + file + ".onnx")
			if err == nil {
				err = pass.Normalise(m)
			}
			if err != nil {
				t.Fatal(err)
			}
			shape, _ := m.Graph.Inputs()[0].Shape()
			c := &calibrated{model: m, n: 16, x: make([]float32, 16*shape[1:].Numel())}
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range c.x {
				c.x[i] = float32(rng.NormFloat64())
			}
			c.calibrate(t, quantize.PlanOptions{Streams: true, ZeroPoints: true, Outputs: true})
			pool := par.New(2)
			defer pool.Close()
			net := c.network(t)
			sim, err := NewSimulation(net, c.n, pool)
			if err != nil {
				t.Fatal(err)
			}
			without := *c.plan
			without.Points = slices.Clone(c.plan.Points)
			for i := range without.Points {
				without.Points[i].Off = without.Points[i].Output
			}
			for _, q := range []quantize.Policy{c.plan.Max(), mixed(c.plan)} {
				got, err := sim.Outputs(t.Context(), q, c.x, c.n)
				if err != nil {
					t.Fatal(err)
				}
				near, far := c.distance(t, c.plan, net, q, got[0]), c.distance(t, &without, net, q, got[0])
				t.Logf("relative distance %.2g, %.2g without these quantizers", near, far)
				if !(near < 0.001) || !(far > 2*near) { // a tie may round the other way
					t.Errorf("policy %v: relative distance %g, %g without these quantizers", q, near, far)
				}
			}
		})
	}
}

// distance is that of outputs to those of the integer network of a plan, relative to the latter.
func (c *calibrated) distance(t *testing.T, plan *quantize.Plan, net *fakequant.Network, q quantize.Policy, got []float32) float64 {
	t.Helper()
	exact, err := integer.Build(c.model, plan, net.Supernet(), q)
	if err != nil {
		t.Fatal(err)
	}
	want, err := exact.Run(t.Context(), nil, c.x, c.n, false)
	if err != nil || len(want.Logits) != len(got) {
		t.Fatalf("%d outputs, want %d, %v", len(got), len(want.Logits), err)
	}
	var d, sum float64
	for i, v := range want.Logits {
		d += math.Pow(float64(got[i]-v), 2)
		sum += math.Pow(float64(v), 2)
	}
	return math.Sqrt(d / sum)
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
