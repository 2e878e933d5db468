package train

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// stray is how often a choice of a random path leaves the policy that the path is drawn near, for the next lower or the next
// higher candidate: the search, which measures the trained network, will not end on the very same widths.
const stray = 0.25

// leaning is the power of a random number below one that says where along the front the first random path of a step lies: half of
// these paths are in the narrowest eighth. What narrow budgets ask for has most to learn: a ResNet-20 whose paths all lie anywhere
// along the front ends 2 points lower at 2.5 bit.
const leaning = 3

// along draws a policy of a front.
func along(rng *rand.Rand, front []quantize.Policy, leans bool) quantize.Policy {
	at := rng.Float64()
	if leans {
		at = math.Pow(at, leaning)
	}
	return front[int(at*float64(len(front)))]
}

// near draws a path around a policy.
func (t *Trainer) near(rng *rand.Rand, p quantize.Policy) quantize.Policy {
	q := p.Clone()
	for i, b := range p.W {
		q.W[i] = neighbour(rng, t.widths[i], b)
	}
	for i, b := range p.A {
		q.A[i] = neighbour(rng, t.net.Plan.Points[i].Candidates, b)
	}
	return q
}

// neighbour is a candidate at or beside a width, which the scheduler may have taken away: then the lowest one stands for it.
func neighbour(rng *rand.Rand, from []int, width int) int {
	at := max(slices.Index(from, width), 0)
	if rng.Float64() < stray {
		at += 2*rng.IntN(2) - 1
	}
	return from[min(max(at, 0), len(from)-1)]
}
