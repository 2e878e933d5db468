package search

import (
	"context"
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
			Node: fmt.Sprintf("layer%d.conv", i), Point: i, MACs: int64(100 + 37*i), Params: int64(10 + i),
			Fixed: fixed, Candidates: candidates,
		}
		pt := quantize.Point{Tensor: fmt.Sprintf("t%d", i), Fixed: fixed, Candidates: candidates, Layers: []int{i}}
		if fixed {
			l.Candidates, pt.Candidates = []int{8}, []int{8}
		}
		p.Layers, p.Points = append(p.Layers, l), append(p.Points, pt)
	}
	return p
}

func bitOPs(plan *quantize.Plan) func(quantize.Policy) int64 {
	return func(p quantize.Policy) int64 {
		var sum int64
		for i, l := range plan.Layers {
			sum += l.MACs * int64(p.W[i]*p.A[l.Point])
		}
		return sum
	}
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

func options(t *testing.T, plan *quantize.Plan, bits float64) Options {
	t.Helper()
	space, err := NewSpace(plan, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ops := bitOPs(plan)
	var limit float64
	for _, l := range plan.Layers {
		if l.Fixed {
			limit += float64(l.MACs) * 64
		} else {
			limit += float64(l.MACs) * bits * bits
		}
	}
	return Options{
		Plan: plan, Space: space, BitOPs: ops,
		Cost: func(p quantize.Policy) float64 { return float64(ops(p)) / limit },
	}
}

func TestRunFitsAndBeatsUniform(t *testing.T) {
	for _, n := range []int{1, 3, 8, 20} {
		for _, bits := range []float64{2, 2.5, 3, 4, 5.3, 8} {
			for seed := range uint64(4) {
				plan := toy(n, 2, 3, 4, 5, 6, 8)
				o := options(t, plan, bits)
				res, err := Run(t.Context(), o, newTable(plan, seed))
				if err != nil {
					t.Fatalf("n=%d bits=%g: %v", n, bits, err)
				}
				if c := o.Cost(res.Policy); c > 1 {
					t.Errorf("n=%d bits=%g seed=%d: cost %g exceeds the budget", n, bits, seed, c)
				}
				if c := o.Cost(res.Uniform); c > 1 {
					t.Errorf("n=%d bits=%g seed=%d: baseline exceeds the budget by %g", n, bits, seed, c)
				}
				if res.Score.Loss > res.UniformScore.Loss {
					t.Errorf("n=%d bits=%g seed=%d: loss %g above the baseline's %g", n, bits, seed, res.Score.Loss, res.UniformScore.Loss)
				}
				if !o.Space.Contains(res.Policy) {
					t.Errorf("policy %v leaves its space", res.Policy)
				}
			}
		}
	}
}

// TestRunNearOptimum compares with all policies of a network of three layers.
func TestRunNearOptimum(t *testing.T) {
	plan := toy(3, 2, 3, 4, 6)
	exact := 0
	const seeds = 20
	for seed := range uint64(seeds) {
		o, table := options(t, plan, 3.4), newTable(plan, seed)
		best := math.Inf(1)
		for _, p := range all(o.Space) {
			if o.Cost(p) <= 1 {
				best = min(best, table.loss(p))
			}
		}
		res, err := Run(t.Context(), o, table)
		if err != nil {
			t.Fatal(err)
		}
		if res.Score.Loss < best-1e-6 {
			t.Fatalf("loss %g is below the optimum %g", res.Score.Loss, best)
		}
		if res.Score.Loss <= best+1e-6 {
			exact++
		}
		if res.Score.Loss > 1.4*best {
			t.Errorf("seed %d: loss %g, optimum %g", seed, res.Score.Loss, best)
		}
	}
	t.Logf("optimum found %d times of %d", exact, seeds)
	if exact < seeds/2 {
		t.Errorf("the optimum was found %d times of %d", exact, seeds)
	}
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
	o := options(t, plan, 4)
	table1, table2 := newTable(plan, 3), newTable(plan, 3)
	a, err := Run(t.Context(), o, table1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Run(t.Context(), o, table2)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
	full := len(a.Steps) * 2 * len(o.Space.choices())
	if table1.calls*2 > full {
		t.Errorf("%d evaluations for %d steps, scoring everything takes %d", table1.calls, len(a.Steps), full)
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

func TestRunInfeasible(t *testing.T) {
	plan := toy(3, 2, 3, 4)
	_, err := Run(t.Context(), options(t, plan, 1.9), newTable(plan, 1))
	if !errors.Is(err, ErrInfeasible) {
		t.Errorf("error is %v", err)
	}
}

func TestRunStopsWhenCancelled(t *testing.T) {
	plan := toy(3, 2, 3, 4)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, options(t, plan, 3), newTable(plan, 1)); !errors.Is(err, context.Canceled) {
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
	res, err := Run(t.Context(), options(t, plan, 3), bad)
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

func TestUniformFillsTheBudget(t *testing.T) {
	plan := toy(5, 2, 3, 4)
	o := options(t, plan, 2.4)
	p, bits := Uniform(o)
	if bits != 2 {
		t.Errorf("baseline starts at %d bits", bits)
	}
	for _, c := range o.Space.choices() {
		if q, ok := o.Space.step(p, move{c, true}); ok && o.Cost(q) <= 1 {
			t.Errorf("%v could still rise", c)
		}
	}
	// Network order: the first searchable layer rises before the last.
	if p.W[1] < p.W[5] {
		t.Errorf("weights %v do not rise in network order", p.W)
	}
}

func TestRules(t *testing.T) {
	plan := toy(3, 2, 3, 4, 8)
	for _, tc := range []struct {
		name       string
		pins, caps []string
		wantW      []int // candidates of layer 2
		wantA      []int
		wantErr    string
	}{
		{name: "none", wantW: []int{2, 3, 4, 8}, wantA: []int{2, 3, 4, 8}},
		{name: "pin", pins: []string{"layer2.*=3/4"}, wantW: []int{3}, wantA: []int{4}},
		{name: "cap", caps: []string{"*=4/8"}, wantW: []int{2, 3, 4}, wantA: []int{2, 3, 4, 8}},
		{name: "weights only", pins: []string{"layer2.conv=2/"}, wantW: []int{2}, wantA: []int{2, 3, 4, 8}},
		{name: "no match", pins: []string{"nosuch=4/4"}, wantErr: `pin "nosuch" matches no layer`},
		{name: "no candidate", pins: []string{"layer2.conv=5/4"}, wantErr: `pin "layer2.conv": weights of layer2.conv can be [2 3 4 8] bits, not 5`},
		{name: "pin against cap", pins: []string{"layer2.conv=8/8"}, caps: []string{"layer2*=4/"}, wantErr: `pin "layer2.conv": weights of layer2.conv can be [2 3 4] bits, not 8`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := NewSpace(plan, rules(t, tc.pins), rules(t, tc.caps))
			if tc.wantErr != "" {
				if err == nil || err.Error() != tc.wantErr {
					t.Fatalf("error is %v, want %s", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.wantW, s.W[2]) + cmp.Diff(tc.wantA, s.A[2]); d != "" {
				t.Error(d)
			}
		})
	}
}

func rules(t *testing.T, in []string) []Rule {
	t.Helper()
	var out []Rule
	for _, s := range in {
		r, err := ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestParseRuleErrors(t *testing.T) {
	for _, s := range []string{"", "conv1", "conv1=", "conv1=4", "conv1=9/8", "conv1=/", "=4/4", "conv1=44/4"} {
		if r, err := ParseRule(s); err == nil {
			t.Errorf("%q parses to %v", s, r)
		}
	}
}
