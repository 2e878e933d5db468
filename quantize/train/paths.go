package train

import (
	"math/rand/v2"

	"github.com/mpqc/mpqc/quantize"
)

// Paths draws the paths of a step: the widest one, then Options.Paths random ones, in which every layer and every point
// chooses for itself and all its candidates are equally likely. It is a function of seed, step and the current
// candidates alone.
func (t *Trainer) Paths(step int) []quantize.Policy {
	rng := rand.New(rand.NewPCG(t.opts.Seed, uint64(step)))
	plan := t.net.Plan
	list := []quantize.Policy{plan.Max()}
	for range t.opts.Paths {
		q := quantize.Policy{W: make([]int, len(plan.Layers)), A: make([]int, len(plan.Points))}
		for i := range q.W {
			q.W[i] = pick(rng, t.widths[i])
		}
		for i := range q.A {
			q.A[i] = pick(rng, plan.Points[i].Candidates)
		}
		list = append(list, q)
	}
	return list
}

func pick(rng *rand.Rand, from []int) int { return from[rng.IntN(len(from))] }

// lowest lists the layers that a path runs at their lowest current width, where they have a choice.
func (t *Trainer) lowest(q quantize.Policy) []int {
	list := []int{}
	for i, w := range t.widths {
		if len(w) > 1 && q.W[i] == w[0] {
			list = append(list, i)
		}
	}
	return list
}

// compared lists the layers that any of the paths compares with the widest one, ascending.
func (t *Trainer) compared(paths []quantize.Policy) []int {
	seen := make([]bool, len(t.widths))
	for _, q := range paths {
		for _, i := range t.lowest(q) {
			seen[i] = true
		}
	}
	list := []int{}
	for i, ok := range seen {
		if ok {
			list = append(list, i)
		}
	}
	return list
}
