package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/quantize"
)

// toy is a plan of n searchable layers between two fixed ones, each reading a point of its own.
func toy(n int, candidates ...int) *quantize.Plan {
	p := &quantize.Plan{}
	for i := range n + 2 {
		fixed := i == 0 || i == n+1
		l := quantize.Layer{
			Node: fmt.Sprintf("layer%d.conv", i), Point: i, MACs: int64(100 + 37*i), Params: int64(10 + 3*i),
			Fixed: fixed, Candidates: candidates,
		}
		pt := quantize.Point{Tensor: fmt.Sprintf("t%d", i), Fixed: fixed, Candidates: candidates, Layers: []int{i}, Elements: int64(50 - i)}
		if fixed {
			l.Candidates, pt.Candidates = []int{8}, []int{8}
		}
		p.Layers, p.Points = append(p.Layers, l), append(p.Points, pt)
	}
	return p
}

// table is a fake evaluator: a sensitivity per choice times 4^-bits, plus an interaction of neighbours.
type table struct {
	w, a     []float64
	coupling float64
	calls    int
}

func newTable(plan *quantize.Plan, seed uint64) *table {
	rng := rand.New(rand.NewPCG(seed, 1))
	t := &table{coupling: 0.3}
	for range plan.Layers {
		t.w = append(t.w, math.Exp(2*rng.NormFloat64()))
	}
	for range plan.Points {
		t.a = append(t.a, math.Exp(2*rng.NormFloat64()))
	}
	return t
}

func (t *table) loss(p quantize.Policy) float64 {
	var sum float64
	for i, b := range p.W {
		sum += t.w[i] * math.Pow(4, -float64(b))
	}
	for i, b := range p.A {
		sum += t.a[i] * math.Pow(4, -float64(b))
		sum += t.coupling * t.a[i] * t.w[i] * math.Pow(4, -float64(b)) * math.Pow(4, -float64(p.W[i]))
	}
	return sum
}

func (t *table) Evaluate(_ context.Context, ps []quantize.Policy) ([]Score, error) {
	out := make([]Score, len(ps))
	for i, p := range ps {
		t.calls++
		out[i] = Score{Loss: t.loss(p)}
	}
	return out, nil
}

func options(t *testing.T, plan *quantize.Plan, target string) Options {
	t.Helper()
	parsed, err := quantize.ParseTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Plan: plan, Target: parsed}
}

// run measures what a search needs, then searches.
func run(ctx context.Context, o Options, ev Evaluator) (*Result, error) {
	var err error
	if o.Sensitivity, err = Measure(ctx, o.Plan, ev, nil, nil); err != nil {
		return nil, err
	}
	return Run(ctx, o, ev)
}

func TestRunFitsAndBeatsUniform(t *testing.T) {
	targets := []string{"2bit", "2.5bit", "3bit", "4bit", "5.3bit", "8bit", "w3.0a8", "w2.5a4.5", "4bit,0.00003MB"}
	for _, n := range []int{1, 3, 8, 20} {
		for _, target := range targets {
			for seed := range uint64(3) {
				plan := toy(n, 2, 3, 4, 5, 6, 8)
				o := options(t, plan, target)
				if o.Target.Validate(plan) != nil {
					continue
				}
				res, err := run(t.Context(), o, newTable(plan, seed))
				if err != nil {
					t.Fatalf("n=%d %s: %v", n, target, err)
				}
				if !o.Target.Check(plan, res.Policy) || plan.Validate(res.Policy) != nil {
					t.Errorf("n=%d %s seed=%d: %v does not fit", n, target, seed, res.Policy)
				}
				if !o.Target.Check(plan, res.Uniform) {
					t.Errorf("n=%d %s seed=%d: the baseline %v does not fit", n, target, seed, res.Uniform)
				}
				if res.Score.Loss > res.UniformScore.Loss {
					t.Errorf("n=%d %s seed=%d: loss %g above the baseline's %g", n, target, seed, res.Score.Loss, res.UniformScore.Loss)
				}
			}
		}
	}
}

// TestRunUsesItsBudget wants 98 % of a limit of BitOPs used, unless no single width can be raised.
func TestRunUsesItsBudget(t *testing.T) {
	for _, n := range []int{1, 3, 8, 20} {
		for bits := 2.0; bits <= 8; bits += 0.3 {
			plan := toy(n, 2, 3, 4, 5, 6, 8)
			o := options(t, plan, fmt.Sprintf("%gbit", bits))
			res, err := run(t.Context(), o, newTable(plan, uint64(n)))
			if err != nil {
				t.Fatalf("n=%d %g bit: %v", n, bits, err)
			}
			for _, p := range []quantize.Policy{res.Policy, res.Uniform} {
				used := o.Target.Limits[0].Cost(plan, p) / o.Target.Limits[0].Value
				if up := raised(o, plan, p); used < 0.98 && up != nil {
					t.Errorf("n=%d %g bit: %v uses %.3f of the budget and could be %v", n, bits, p, used, *up)
				}
			}
		}
	}
}

// raised is a policy with one width more than p that fits, or nil.
func raised(o Options, plan *quantize.Plan, p quantize.Policy) *quantize.Policy {
	space := NewSpace(plan, o.Target)
	for _, c := range space.choices() {
		for _, to := range space.candidates(c) {
			if to > bitsOf(p, c) {
				if q := space.apply(p, move{c, to}); o.Target.Check(plan, q) {
					return &q
				}
				break
			}
		}
	}
	return nil
}

// TestRunNearOptimum compares with all 729 policies of a network of three layers, at every budget.
func TestRunNearOptimum(t *testing.T) {
	plan := toy(3, 2, 4, 6)
	runs, worst := 0, 1.0
	for seed := range uint64(10) {
		table := newTable(plan, seed)
		for bits := 2.0; bits <= 6; bits += 0.25 {
			o := options(t, plan, fmt.Sprintf("%gbit", bits))
			best := math.Inf(1)
			for _, p := range all(NewSpace(plan, o.Target)) {
				if o.Target.Check(plan, p) {
					best = min(best, table.loss(p))
				}
			}
			res, err := run(t.Context(), o, table)
			if err != nil {
				t.Fatal(err)
			}
			if res.Score.Loss < best-1e-6 {
				t.Fatalf("loss %g is below the optimum %g", res.Score.Loss, best)
			}
			runs++
			worst = max(worst, res.Score.Loss/best)
			if res.Score.Loss > 1.02*best {
				t.Errorf("seed %d, %g bit: loss %g, optimum %g", seed, bits, res.Score.Loss, best)
			}
		}
	}
	t.Logf("%d searches, the worst ends at %.4f of the optimum", runs, worst)
}

func all(s Space) []quantize.Policy {
	out := []quantize.Policy{s.Level(0)}
	for _, c := range s.choices() {
		var next []quantize.Policy
		for _, p := range out {
			for _, b := range s.candidates(c) {
				q := p.Clone()
				if c.weight {
					q.W[c.index] = b
				} else {
					q.A[c.index] = b
				}
				next = append(next, q)
			}
		}
		out = next
	}
	return out
}

func TestRunIsDeterministicAndThrifty(t *testing.T) {
	plan := toy(18, 2, 3, 4, 5, 6, 8)
	o := options(t, plan, "4bit")
	table1, table2 := newTable(plan, 3), newTable(plan, 3)
	a, err := run(t.Context(), o, table1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := run(t.Context(), o, table2)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
	choices := len(NewSpace(plan, o.Target).choices())
	if most := 1 + 5*choices + choices + 2; table1.calls > most {
		t.Errorf("%d evaluations of %d choices, %d are enough", table1.calls, choices, most)
	}
	if len(a.Pareto) < 3 {
		t.Errorf("Pareto front has %d points", len(a.Pareto))
	}
	for i := 1; i < len(a.Pareto); i++ {
		if p, q := a.Pareto[i-1], a.Pareto[i]; p.BitOPs >= q.BitOPs || p.Loss <= q.Loss {
			t.Errorf("Pareto points %d and %d do not trade loss for BitOPs", i-1, i)
		}
	}
}

// TestMeasureGoesOn measures what an interrupted run left, once.
func TestMeasureGoesOn(t *testing.T) {
	plan := toy(6, 2, 3, 4, 8)
	whole, err := Measure(t.Context(), plan, newTable(plan, 1), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var kept []byte
	stop := errors.New("stop")
	_, err = Measure(t.Context(), plan, newTable(plan, 1), nil, func(s *Sensitivity, done, total int) error {
		if done >= total {
			t.Errorf("%d of %d done after one part", done, total)
		}
		kept, err = json.Marshal(s)
		return errors.Join(err, stop)
	})
	if !errors.Is(err, stop) {
		t.Fatalf("error is %v", err)
	}
	var known Sensitivity
	if err := json.Unmarshal(kept, &known); err != nil {
		t.Fatal(err)
	}
	rest := newTable(plan, 1)
	again, err := Measure(t.Context(), plan, rest, &known, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(whole, again); d != "" {
		t.Error(d)
	}
	if most := 12*3 + 1 - measureChunk + 4; rest.calls > most {
		t.Errorf("%d evaluations for what was left, want at most %d", rest.calls, most)
	}
}

// TestRandomUsesItsBudget draws policies that fit and that nothing can widen.
func TestRandomUsesItsBudget(t *testing.T) {
	plan := toy(8, 2, 3, 4, 5, 6, 8)
	o := options(t, plan, "3.3bit")
	rng := rand.New(rand.NewPCG(1, 1))
	space := NewSpace(plan, o.Target)
	for range 20 {
		p, err := Random(plan, o.Target, rng)
		if err != nil || !o.Target.Check(plan, p) {
			t.Fatalf("%v does not fit: %v", p, err)
		}
		for _, m := range space.moves(p) {
			if m.to > bitsOf(p, m.choice) && o.Target.Check(plan, space.apply(p, m)) {
				t.Errorf("%v leaves room for %v", p, m)
			}
		}
	}
}

func TestRunInfeasible(t *testing.T) {
	plan := toy(3, 2, 3, 4)
	_, err := run(t.Context(), options(t, plan, "1.9bit"), newTable(plan, 1))
	if !errors.Is(err, quantize.ErrInfeasible) {
		t.Errorf("error is %v", err)
	}
}

func TestRunStopsWhenCancelled(t *testing.T) {
	plan := toy(3, 2, 3, 4)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(ctx, options(t, plan, "3bit"), newTable(plan, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestRunSurvivesNaN(t *testing.T) {
	plan := toy(3, 2, 3, 4)
	bad := evaluatorFunc(func(p quantize.Policy) float64 {
		if p.W[1] == 2 {
			return math.NaN()
		}
		return newTable(plan, 1).loss(p)
	})
	res, err := run(t.Context(), options(t, plan, "3bit"), bad)
	if err != nil {
		t.Fatal(err)
	}
	if res.Policy.W[1] == 2 {
		t.Error("the search chose a width that computes NaN")
	}
}

type evaluatorFunc func(quantize.Policy) float64

func (f evaluatorFunc) Evaluate(_ context.Context, ps []quantize.Policy) ([]Score, error) {
	out := make([]Score, len(ps))
	for i, p := range ps {
		out[i].Loss = f(p)
	}
	return out, nil
}

func TestRunHonoursPins(t *testing.T) {
	plan, err := toy(4, 2, 3, 4, 8).Pin("layer2.*", 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	if plan, err = plan.Cap("layer3.*", 3, 4); err != nil {
		t.Fatal(err)
	}
	res, err := run(t.Context(), options(t, plan, "5bit"), newTable(plan, 2))
	if err != nil {
		t.Fatal(err)
	}
	if p := res.Policy; p.W[2] != 8 || p.A[2] != 8 || p.W[3] > 3 || p.A[3] > 4 {
		t.Errorf("policy %v ignores the pin of layer 2 or the cap of layer 3", p)
	}
}

func TestRunHoldsActivations(t *testing.T) {
	plan := toy(4, 2, 3, 4, 8)
	res, err := run(t.Context(), options(t, plan, "w3a8"), newTable(plan, 2))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range res.Policy.A {
		if a != 8 {
			t.Errorf("point %d has %d bits", i, a)
		}
	}
}
