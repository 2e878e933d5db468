package calibrate

import "slices"

// pairingEffort bounds the number of sums that pairing computes, about half a second.
const pairingEffort = 1 << 27

// pairing returns an order of channels in which channels 2k and 2k+1 are good partners, or nil if the present one is
// best.
//
// rows are the weights that read the channels, as [channel][output channel, position]. The search is greedy. It looks
// at the output channel that suffers most and exchanges one channel of its worst pair. Of all such exchanges it takes
// the one that is best for all output channels together, until none helps or pairingEffort is used up.
func pairing(rows [][]float32, positions int) []int {
	p := newPairs(rows, positions)
	moved := false
	for p.effort > 0 {
		output := p.worstOutput()
		if output < 0 {
			break
		}
		if p.improve(output) {
			moved = true
			clear(p.stuck)
		} else {
			p.stuck[output] = true
		}
	}
	if !moved {
		return nil
	}
	return p.order
}

// pairs is the state of pairing.
type pairs struct {
	rows      [][]float32 // relative to the largest weight of each output channel
	positions int
	order     []int
	worst     [][]float32 // [pair][output channel]: largest sum of two weights of one sign
	top       [][]ranked  // [output channel]: the three worst pairs
	stuck     []bool      // output channels that no exchange helps at present
	effort    int         // sums that may still be computed
}

// ranked is a pair and its largest sum.
type ranked struct {
	pair int
	sum  float32
}

// newPairs ranks the pairs of the present order.
func newPairs(rows [][]float32, positions int) *pairs {
	outputs := len(rows[0]) / positions
	p := &pairs{rows: shares(rows, positions, outputs), positions: positions, effort: pairingEffort, stuck: make([]bool, outputs), top: make([][]ranked, outputs)}
	for c := range rows {
		p.order = append(p.order, c)
	}
	for k := 0; k < len(rows); k += 2 {
		sums := make([]float32, outputs)
		for o := range sums {
			sums[o] = p.sum(k, k+1, o)
		}
		p.worst = append(p.worst, sums)
	}
	for o := range p.top {
		p.rank(o)
	}
	return p
}

// shares divides weights by the largest magnitude of their output channel.
func shares(rows [][]float32, positions, outputs int) [][]float32 {
	largest := make([]float32, outputs)
	for _, row := range rows {
		for i, w := range row {
			largest[i/positions] = max(largest[i/positions], w, -w)
		}
	}
	out := make([][]float32, len(rows))
	for c, row := range rows {
		out[c] = slices.Clone(row)
		for i := range row {
			if v := largest[i/positions]; v > 0 {
				out[c][i] /= v
			}
		}
	}
	return out
}

// sum returns the largest magnitude that weights of channels a and b add up to, at one position of an output channel.
// Only weights of one sign count.
func (p *pairs) sum(a, b, output int) float32 {
	lo, hi := output*p.positions, (output+1)*p.positions
	x, y := p.rows[a][lo:hi], p.rows[b][lo:hi]
	var most float32
	for i, v := range x {
		if s := v + y[i]; v*y[i] > 0 {
			most = max(most, s, -s)
		}
	}
	return most
}

// rank finds the three worst pairs of an output channel.
func (p *pairs) rank(output int) {
	p.top[output] = append(p.top[output][:0], ranked{}, ranked{}, ranked{})
	for k := range p.worst {
		p.enter(output, k)
	}
	p.effort -= len(p.worst)
}

// enter inserts a pair into the worst ones of an output channel, if it belongs there.
func (p *pairs) enter(output, pair int) {
	at := ranked{pair, p.worst[pair][output]}
	for i, t := range p.top[output] {
		if at.sum > t.sum {
			at, p.top[output][i] = t, at
		}
	}
}

// changed updates the ranks after pairs a and b changed.
func (p *pairs) changed(a, b int) {
	for o, top := range p.top {
		if slices.ContainsFunc(top, func(t ranked) bool { return t.pair == a || t.pair == b }) {
			p.rank(o)
			continue
		}
		p.enter(o, a)
		p.enter(o, b)
	}
}

// cost is the cost of a pair whose sum is a share of the largest weight: the square of the relative step size that it
// needs. Below a share of 1 the largest weight decides.
func cost(share float32) float64 {
	s := float64(max(share, 1))
	return s * s
}

// worstOutput returns the output channel with the largest relative step size that is not stuck, or -1.
func (p *pairs) worstOutput() int {
	at, most := -1, float32(1)
	for o, top := range p.top {
		if !p.stuck[o] && top[0].sum > most {
			at, most = o, top[0].sum
		}
	}
	return at
}

// improve makes the best exchange that splits the worst pair of an output channel. It reports whether any exchange
// helps.
func (p *pairs) improve(output int) bool {
	var now float64
	for _, top := range p.top {
		now += cost(top[0].sum)
	}
	const leastGain = 1e-6
	best, from, to := now*(1-leastGain), -1, -1
	pair := p.top[output][0].pair
	for at := 2 * pair; at < 2*pair+2; at++ {
		for other := range p.order {
			if other/2 == pair {
				continue
			}
			if c := p.costWith(at, other, best); c < best {
				best, from, to = c, at, other
			}
		}
	}
	if from < 0 {
		return false
	}
	p.order[from], p.order[to] = p.order[to], p.order[from]
	for _, at := range []int{from, to} {
		for o := range p.worst[at/2] {
			p.worst[at/2][o] = p.sum(p.order[at], p.order[at^1], o)
		}
	}
	p.changed(from/2, to/2)
	return true
}

// costWith returns the cost of all output channels after positions at and other are exchanged. It returns limit as soon
// as the cost reaches that.
func (p *pairs) costWith(at, other int, limit float64) float64 {
	a, b := p.order[at^1], p.order[at]
	c, d := p.order[other], p.order[other^1]
	left := float64(len(p.top)) // what the output channels to come cost at least
	var sum float64
	for o, top := range p.top {
		most := max(p.sum(a, c, o), p.sum(d, b, o))
		for _, t := range top {
			if t.pair != at/2 && t.pair != other/2 {
				most = max(most, t.sum)
				break
			}
		}
		sum += cost(most)
		if left--; sum+left >= limit {
			p.effort -= 2 * p.positions * (o + 1)
			return limit
		}
	}
	p.effort -= 2 * p.positions * len(p.top)
	return sum
}
