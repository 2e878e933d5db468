package train

import (
	"math/rand/v2"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// Paths draws the policies of a step: the widest one, then Options.Paths random ones. Training the widest subnet and
// random ones together follows the sandwich rule of slimmable networks (arXiv 1903.05134).
//
// Every layer and every activation quantizer draws its own width: near a policy of Options.Guides, else among all its
// candidates. The latter are equally likely, except in the first random policy with Options.Tilted. There the weight of
// the k-th lowest candidate is odds^k, with odds drawn from [0, 1). The result depends on seed, step and the current
// candidates only.
func (t *Trainer) Paths(step int) []quantize.Policy {
	rng := rand.New(rand.NewPCG(t.opts.Seed, uint64(step)))
	plan := t.net.Plan
	list := []quantize.Policy{plan.Max()}
	for k := range t.opts.Paths {
		if len(t.opts.Guides) > 0 {
			list = append(list, t.near(rng, along(rng, t.opts.Guides, k == 0)))
			continue
		}
		q := quantize.Policy{W: make([]int, len(plan.Layers)), A: make([]int, len(plan.Points))}
		odds := 1.0
		if t.opts.Tilted && k == 0 {
			odds = rng.Float64()
		}
		for i := range q.W {
			q.W[i] = pick(rng, t.widths[i], odds)
		}
		for i := range q.A {
			q.A[i] = pick(rng, plan.Points[i].Candidates, odds)
		}
		list = append(list, q)
	}
	return list
}

// pick draws a candidate; the k-th has the weight odds^k.
func pick(rng *rand.Rand, from []int, odds float64) int {
	if odds == 1 {
		return from[rng.IntN(len(from))]
	}
	sum, weight := 0.0, 1.0
	for range from {
		sum += weight
		weight *= odds
	}
	at := rng.Float64() * sum
	weight = 1
	for _, width := range from {
		if at -= weight; at < 0 {
			return width
		}
		weight *= odds
	}
	return from[0] // the sum was rounded up
}

// lowest lists the layers that a policy runs at their lowest current width, among those with a choice. The list is
// valid until the next call.
func (t *Trainer) lowest(q quantize.Policy) []int {
	list := t.low[:0]
	for i, w := range t.widths {
		if len(w) > 1 && q.W[i] == w[0] {
			list = append(list, i)
		}
	}
	t.low = list
	return list
}

// compared lists, in ascending order, the layers that any of the policies compares with the widest one. The list is
// valid until the next call.
func (t *Trainer) compared(paths []quantize.Policy) []int {
	list := t.all[:0]
	for _, q := range paths {
		list = append(list, t.lowest(q)...)
	}
	t.all = list
	slices.Sort(list)
	return slices.Compact(list)
}
