package train

import (
	"math/rand/v2"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// Paths draws the paths of a step: the widest one, then Options.Paths random ones, in which every layer and every point
// chooses for itself: near a policy of Options.Front, else among all its candidates. These are equally likely; on the first
// random path with Options.Tilt, each is as much less likely than the next lower one as chance decided for the path: between
// equally likely and the lowest alone. It is a function of seed, step and the current candidates alone.
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

// pick chooses a candidate, the k-th with the weight odds^k.
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

// lowest lists the layers that a path runs at their lowest current width, where they have a choice.
//
// The list is valid until the next call.
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

// compared lists the layers that any of the paths compares with the widest one, ascending.
// The list is valid until the next call.
func (t *Trainer) compared(paths []quantize.Policy) []int {
	list := t.all[:0]
	for _, q := range paths {
		list = append(list, t.lowest(q)...)
	}
	t.all = list
	slices.Sort(list)
	return slices.Compact(list)
}
