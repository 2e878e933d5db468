package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize"
)

// trainer is a trainer of a small network of class scores.
func trainer(t *testing.T, edit func(*Options)) (*calibrated, *Trainer) {
	t.Helper()
	c := small(t, 1, "scores")
	o := Defaults()
	o.Batch, o.Steps = c.n, 20
	edit(&o)
	tr, err := New(c.network(t), o, par.New(1))
	if err != nil {
		t.Fatal(err)
	}
	return c, tr
}

func nothing(*Options) {}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

// TestArgmaxTeacher: toward a float model that is sure of the labels, training without labels is training with them.
func TestArgmaxTeacher(t *testing.T) {
	run := func(unlabelled bool) (losses []Losses, weights []float32) {
		c, tr := trainer(t, func(o *Options) { o.Unlabelled = unlabelled })
		sure := make([]float32, 5*c.n)
		for i, l := range c.label {
			sure[5*i+int(l)] = 1000
		}
		b := Batch{X: c.x, N: c.n, Labels: c.label, Teacher: [][]float32{sure}}
		if unlabelled {
			b.Labels = nil
		}
		for step := range 4 {
			list, err := tr.Step(t.Context(), b, tr.Paths(step))
			if err != nil {
				t.Fatal(err)
			}
			losses = append(losses, list...)
		}
		return losses, tr.net.Weight(1).Data
	}
	labelled, w := run(false)
	free, v := run(true)
	for k := range labelled {
		if math.Abs(labelled[k].Task-free[k].Task) > 1e-4*labelled[k].Task {
			t.Errorf("loss %d: %g with labels, %g without", k, labelled[k].Task, free[k].Task)
		}
	}
	for j := range w {
		if math.Abs(float64(w[j]-v[j])) > 2e-4 {
			t.Fatalf("weight %d: %g with labels, %g without", j, w[j], v[j])
		}
	}
}

// TestTilt: the tilted path of a step is lower than the others and than a uniform one, still draws every candidate, and
// follows seed and step.
func TestTilt(t *testing.T) {
	const steps = 300
	mean, others, seen := map[bool]float64{}, 0.0, map[[2]int]bool{}
	var plan *quantize.Plan
	for _, tilt := range []bool{false, true} {
		_, tr := trainer(t, func(o *Options) { o.Tilted = tilt })
		plan = tr.net.Plan
		n := 0.0
		for step := range steps {
			paths := tr.Paths(step)
			for i, b := range paths[1].W {
				if len(plan.Layers[i].Candidates) > 1 {
					mean[tilt] += float64(b)
					others += float64(paths[2].W[i])
					n++
					if tilt {
						seen[[2]int{i, b}] = true
					}
				}
			}
		}
		mean[tilt] /= n
		if others /= n; others < 4.6 || others > 5.1 {
			t.Errorf("the second random path has a mean width of %.2f", others)
		}
		others = 0
	}
	if mean[false] < 4.6 || mean[false] > 5.1 || mean[true] > mean[false]-0.7 {
		t.Errorf("mean widths: %.2f uniform, %.2f tilted", mean[false], mean[true])
	}
	for i, l := range plan.Layers {
		for _, b := range l.Candidates {
			if len(l.Candidates) > 1 && !seen[[2]int{i, b}] {
				t.Errorf("%d bits of %s were never drawn", b, l.Node)
			}
		}
	}
	_, a := trainer(t, nothing)
	_, same := trainer(t, nothing)
	_, other := trainer(t, func(o *Options) { o.Seed = 2 })
	equal := func(x, y []quantize.Policy) bool {
		return slices.EqualFunc(x, y, func(p, q quantize.Policy) bool { return slices.Equal(p.W, q.W) && slices.Equal(p.A, q.A) })
	}
	if !equal(a.Paths(3), same.Paths(3)) || equal(a.Paths(3), a.Paths(4)) || equal(a.Paths(3), other.Paths(3)) {
		t.Error("tilted paths do not follow seed and step alone")
	}
}

// TestPick: the k-th candidate is drawn odds^k as often as the first.
func TestPick(t *testing.T) {
	const draws = 40_000
	for _, odds := range []float64{0, 0.5, 1} {
		rng, count := rand.New(rand.NewPCG(1, 2)), map[int]int{}
		for range draws {
			count[pick(rng, []int{2, 4, 8}, odds)]++
		}
		sum := 1 + odds + odds*odds
		for k, b := range []int{2, 4, 8} {
			want := math.Pow(odds, float64(k)) / sum
			if got := float64(count[b]) / draws; math.Abs(got-want) > 0.01 {
				t.Errorf("odds %g: %d bits are drawn with %.3f, want %.3f", odds, b, got, want)
			}
		}
	}
}

// TestShareNorms: one set per layer learns, and the supernet holds it under the names of all.
func TestShareNorms(t *testing.T) {
	c := small(t, 1, "scores")
	net := c.network(t)
	net.ShareNorms()
	o := Defaults()
	o.Batch, o.Steps, o.Average = c.n, 4, 0
	tr, err := New(net, o, par.New(1))
	if err != nil {
		t.Fatal(err)
	}
	for step := range 4 {
		if _, err := tr.Step(t.Context(), Batch{X: c.x, N: c.n, Labels: c.label}, tr.Paths(step)); err != nil {
			t.Fatal(err)
		}
	}
	i := layerAt(t, c.plan, "/c2")
	for _, p := range net.Norm(i).Params() {
		start, err := c.start.Get(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		if moved, widest := !slices.Equal(p.Data, start), strings.Contains(p.Name, ".8_8."); moved != widest {
			t.Errorf("%s moved: %v", p.Name, moved)
		}
	}
	s := tr.Supernet()
	for _, part := range []string{"gamma", "beta", "mean", "var"} {
		want := s.Arrays[quantize.NormName("/c2", 8, 8, part)].Data
		if slices.Equal(want, c.start.Arrays[quantize.NormName("/c2", 8, 8, part)].Data) {
			t.Errorf("%s did not move", part)
		}
		for _, w := range c.plan.Layers[i].Candidates {
			for _, a := range []int{2, 4, 8} {
				if got := s.Arrays[quantize.NormName("/c2", w, a, part)].Data; !slices.Equal(got, want) {
					t.Errorf("%s at %d/%d bits is another one", part, w, a)
				}
			}
		}
	}
}

// TestFrozen: the loss falls on a path whose norms keep their statistics to the bit.
func TestFrozen(t *testing.T) {
	c, tr := trainer(t, func(o *Options) { o.Frozen, o.Paths, o.Steps, o.Rate = true, 0, 20, 0.01 })
	path := []quantize.Policy{c.plan.Max()}
	before := tr.net.Norms(path[0])
	var losses []float64
	for range 20 {
		l, err := tr.Step(t.Context(), Batch{X: c.x, N: c.n, Labels: c.label}, path)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, l[0].Task)
	}
	if last := losses[len(losses)-1]; last >= 0.9*losses[0] {
		t.Errorf("losses %.4f to %.4f", losses[0], last)
	}
	if d := cmp.Diff(before, tr.net.Norms(path[0])); d != "" || len(before.Arrays) == 0 {
		t.Errorf("%d arrays, %s", len(before.Arrays), d)
	}
}

// TestNoDistillation leaves the distance to the widest path out of the loss of random paths, and changes nothing else.
func TestNoDistillation(t *testing.T) {
	run := func(share float32) []Losses {
		c, tr := trainer(t, func(o *Options) { o.Distill = share })
		list, err := tr.accumulate(t.Context(), Batch{X: c.x, N: c.n, Labels: c.label}, tr.Paths(0))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	with, without := run(0.5), run(0)
	if with[0] != without[0] {
		t.Errorf("the widest path: %+v and %+v", with[0], without[0])
	}
	for k := 1; k < len(with); k++ {
		a, b := with[k], without[k]
		if a.Task != b.Task || a.Distortion != b.Distortion || a.Teacher <= 0 || b.Teacher != 0 {
			t.Errorf("path %d: %+v and %+v", k, a, b)
		}
		rest := float64(Defaults().Distortion) * a.Distortion
		if math.Abs(a.Total-rest-(a.Task+a.Teacher)/2) > 1e-6 || math.Abs(b.Total-rest-b.Task) > 1e-6 {
			t.Errorf("path %d: totals of %+v and %+v", k, a, b)
		}
	}
}

// TestDecayExemption: weights within the range of 2-bit codes do not decay, those beyond do; layers without 2-bit steps
// decay as a whole, and so do all with DecayInside.
func TestDecayExemption(t *testing.T) {
	for _, inside := range []bool{false, true} {
		_, tr := trainer(t, func(o *Options) { o.DecayInside, o.Decay = inside, 0.25 })
		tr.exec.ZeroGrad()
		for _, p := range tr.params {
			p.Used = true
		}
		tr.decay()
		exempt := 0
		for i := range tr.net.Plan.Layers {
			l := &tr.net.Plan.Layers[i]
			w, two := tr.net.Weight(i), tr.net.WeightSteps(i).At(2)
			inner := len(w.Data) / l.OutChannels
			for j, x := range w.Data {
				want := 0.25 * x
				if two != nil && !inside {
					if s := two.Data[j/inner]; x >= -2*s && x <= s {
						want = 0
						exempt++
					}
				}
				if math.Abs(float64(w.Grad[j]-want)) > 1e-7 {
					t.Fatalf("%s, weight %g: gradient %g, want %g", l.Node, x, w.Grad[j], want)
				}
			}
		}
		if !inside && exempt == 0 || inside && exempt > 0 {
			t.Errorf("%d weights were exempt", exempt)
		}
		for _, p := range tr.params {
			if p.Kind == engine.StepSize && slices.ContainsFunc(p.Grad, func(g float32) bool { return g != 0 }) {
				t.Errorf("step size %s decays", p.Name)
			}
		}
	}
}
