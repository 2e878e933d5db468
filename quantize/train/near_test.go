package train

import (
	"math"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize"
)

// fronted is a trainer whose random paths are drawn near the narrowest and near the widest policy.
func fronted(t *testing.T, seed uint64) *Trainer {
	t.Helper()
	_, plain := trainer(t, nothing)
	plan := plain.net.Plan
	_, tr := trainer(t, func(o *Options) { o.Guides, o.Seed = []quantize.Policy{plan.Min(), plan.Max()}, seed })
	return tr
}

// beside counts the choices of a path that are not those of a policy; ok says that each is at most one candidate away.
func beside(plan *quantize.Plan, q, p quantize.Policy) (moved int, ok bool) {
	ok = true
	count := func(candidates []int, a, b int) {
		d := slices.Index(candidates, a) - slices.Index(candidates, b)
		if d != 0 {
			moved++
		}
		ok = ok && d >= -1 && d <= 1
	}
	for i, l := range plan.Layers {
		count(l.Candidates, q.W[i], p.W[i])
	}
	for i, x := range plan.Points {
		count(x.Candidates, q.A[i], p.A[i])
	}
	return moved, ok
}

// TestFront: every choice of a random path lies at or beside that of the policy which the path was drawn near, a
// quarter of the tries beside it; the first one leans to the narrow end, the others lie anywhere.
func TestFront(t *testing.T) {
	const steps = 400
	tr := fronted(t, 1)
	plan := tr.net.Plan
	ends := []quantize.Policy{plan.Min(), plan.Max()}
	var drawn [2][2]float64 // by whether the path leans, and the end that it is near
	var moved int
	for step := range steps {
		paths := tr.Paths(step)
		if len(paths) != tr.opts.Paths+1 || !paths[0].Equal(ends[1]) {
			t.Fatalf("step %d: %d paths, the first %v", step, len(paths), paths[0])
		}
		for n, q := range paths[1:] {
			k := slices.IndexFunc(ends, func(p quantize.Policy) bool { _, ok := beside(plan, q, p); return ok })
			if k < 0 {
				t.Fatalf("step %d: %v is near neither end", step, q)
			}
			away, _ := beside(plan, q, ends[k])
			moved += away
			drawn[min(n, 1)][k]++
		}
	}
	for n, want := range []float64{math.Pow(0.5, 1./tiltPower), 0.5} {
		if share := drawn[n][0] / (drawn[n][0] + drawn[n][1]); math.Abs(share-want) > 0.06 {
			t.Errorf("%.2f of the paths lie near the narrowest policy, want %.2f", share, want)
		}
	}
	free := 0 // choices
	for _, l := range plan.Layers {
		free += min(len(l.Candidates)-1, 1)
	}
	for _, p := range plan.Points {
		free += min(len(p.Candidates)-1, 1)
	}
	// At both ends of the candidates half of the moves lead nowhere.
	if share := float64(moved) / float64(steps*tr.opts.Paths*free); share < 0.10 || share > 0.15 {
		t.Errorf("%.3f of the choices left the front, want 0.125", share)
	}
}

// TestFrontRestricted: where the scheduler took a width away, the lowest that is left stands for it.
func TestFrontRestricted(t *testing.T) {
	tr := fronted(t, 1)
	tr.restrict(1)
	for step := range 50 {
		for _, q := range tr.Paths(step) {
			for i, b := range q.W {
				if !slices.Contains(tr.widths[i], b) {
					t.Fatalf("step %d, layer %d: %d bits are not among %v", step, i, b, tr.widths[i])
				}
			}
		}
	}
}

// TestFrontSeed: paths near a front are a function of seed and step.
func TestFrontSeed(t *testing.T) {
	a, same, other := fronted(t, 1), fronted(t, 1), fronted(t, 2)
	equal := func(x, y []quantize.Policy) bool { return slices.EqualFunc(x, y, quantize.Policy.Equal) }
	if !equal(a.Paths(3), same.Paths(3)) || equal(a.Paths(3), a.Paths(4)) || equal(a.Paths(3), other.Paths(3)) {
		t.Error("the paths do not follow seed and step alone")
	}
}

// TestForeignFront: a policy of another plan is refused.
func TestForeignFront(t *testing.T) {
	c, tr := trainer(t, nothing)
	q := tr.net.Plan.Max()
	q.W[0] = 7
	o := Defaults()
	o.Batch, o.Guides = c.n, []quantize.Policy{q}
	if _, err := New(c.network(t), o, par.New(1)); err == nil {
		t.Error("7 bits were taken")
	}
}
