package train

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// stray is the probability that a width of a random policy moves to the next lower or higher candidate, away from the
// policy that it is drawn near. The search measures the trained network, so it will not end on exactly the same widths.
const stray = 0.25

// tiltPower is the power that a uniform random number in [0, 1) is raised to. The result is the position on the front
// of the first random policy of a step, so half of these lie in the narrowest eighth. Low budgets have most to learn. A
// ResNet-20 whose policies all lie uniformly along the front ends 2 points lower at 2.5 bit.
const tiltPower = 3

// along draws a policy of a Pareto front that is ordered from narrow to wide: uniformly, or tilted to the narrow end.
func along(rng *rand.Rand, front []quantize.Policy, tilted bool) quantize.Policy {
	at := rng.Float64()
	if tilted {
		at = math.Pow(at, tiltPower)
	}
	return front[int(at*float64(len(front)))]
}

// near draws a policy near p.
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

// neighbour draws width or a candidate beside it. If the scheduler has removed width, the lowest candidate takes its
// place.
func neighbour(rng *rand.Rand, from []int, width int) int {
	at := max(slices.Index(from, width), 0)
	if rng.Float64() < stray {
		at += 2*rng.IntN(2) - 1
	}
	return from[min(max(at, 0), len(from)-1)]
}
