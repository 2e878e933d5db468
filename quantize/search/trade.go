package search

import (
	"cmp"
	"math"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// trade is a set of moves of different choices that probably fit together, with the predicted change of the loss.
type trade struct {
	moves     []move
	predicted float64
	policy    quantize.Policy // set by realise
}

// priced is a move, or two moves of a layer's weights and of the point that it reads. It holds the changes of the loss
// and of the used share of each limit. Costs are products of both widths, so one of the two alone has no fixed price.
type priced struct {
	moves []move
	loss  float64
	cost  []float64
	up    bool
}

// pairsUpTo is the largest number of moves in one direction for which pairs of them are balanced, too. With few
// choices, each is a large share of the budget, and only such trades lead from one good policy to the next. With many
// choices they are not needed, and there are too many.
const pairsUpTo = 64

// tolerance keeps rounding of floating-point sums from deciding whether something helps.
const tolerance = 1e-9

// trades lists the trades whose predicted change of the loss is below limit, the best first. It combines every move up
// with one move down. It also balances every move, or two where choices are few, with several in the other direction.
// That reaches what pairs cannot if one choice is much more expensive than another.
func (s *state) trades(limit float64) []trade {
	now := s.used(s.at)
	ups, downs := s.price(now)
	var out []trade
	for _, up := range ups {
		used := plus(now, up)
		for _, down := range downs {
			if up.loss+down.loss < limit-tolerance && within(used, down) && disjoint(up, down) {
				out = append(out, trade{moves: slices.Concat(up.moves, down.moves), predicted: up.loss + down.loss})
			}
		}
	}
	for _, side := range [][2][]priced{{ups, byRate(downs)}, {downs, byRate(ups)}} {
		for i, first := range side[0] {
			out = appendBalanced(out, limit, now, side[1], first)
			for _, second := range side[0][:i] {
				if len(side[0]) <= pairsUpTo && disjoint(first, second) {
					out = appendBalanced(out, limit, now, side[1], second, first)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b trade) int { return cmp.Compare(a.predicted, b.predicted) })
	return out
}

// price lists the priced moves that use budget and those that free it. now are the shares of the limits in use.
func (s *state) price(now []float64) (ups, downs []priced) {
	singles := s.space.moves(s.at)
	add := func(moves ...move) {
		p := priced{moves: moves, cost: s.used(s.space.apply(s.at, moves...))}
		var sum float64
		for i := range p.cost {
			p.cost[i] -= now[i]
			sum += p.cost[i]
		}
		for _, m := range moves {
			p.loss += s.changes(m)
		}
		if p.up = sum > 0; p.up {
			ups = append(ups, p)
		} else {
			downs = append(downs, p)
		}
	}
	for _, m := range singles {
		add(m)
	}
	for _, w := range singles {
		for _, a := range singles {
			if w.weight && !a.weight && s.Plan.Layers[w.index].Point == a.index {
				add(w, a)
			}
		}
	}
	return ups, downs
}

// disjoint reports whether two changes have no choice in common.
func disjoint(a, b priced) bool {
	for _, m := range a.moves {
		if slices.ContainsFunc(b.moves, func(o move) bool { return o.choice == m.choice }) {
			return false
		}
	}
	return true
}

// within reports whether all limits hold after a change, assuming that costs add up.
func within(used []float64, c priced) bool {
	for i, v := range used {
		if v+c.cost[i] > 1+tolerance {
			return false
		}
	}
	return true
}

// plus returns the used shares after a change.
func plus(used []float64, c priced) []float64 {
	out := slices.Clone(used)
	for i := range out {
		out[i] += c.cost[i]
	}
	return out
}

// byRate sorts changes of one direction: the most gain per cost, or the least loss per saving, first.
func byRate(ps []priced) []priced {
	rate := func(p priced) float64 {
		var cost float64
		for _, c := range p.cost {
			cost += math.Abs(c)
		}
		return p.loss / (cost + tolerance)
	}
	ps = slices.Clone(ps)
	slices.SortStableFunc(ps, func(a, b priced) int { return cmp.Compare(rate(a), rate(b)) })
	return ps
}

// appendBalanced completes the changes firsts with others of the opposite direction, in the order given. Downwards it
// goes on until the limits hold, upwards while they do. Trades of one move each are listed elsewhere.
func appendBalanced(out []trade, limit float64, used []float64, others []priced, firsts ...priced) []trade {
	up, chosen := firsts[0].up, firsts
	for _, p := range firsts {
		used = plus(used, p)
	}
	nothing := priced{cost: make([]float64, len(used))}
	for _, p := range others {
		if up && within(used, nothing) || !up && p.loss >= 0 {
			break // the others are worth less
		}
		if !up && !within(used, p) || slices.ContainsFunc(chosen, func(c priced) bool { return !disjoint(c, p) }) {
			continue
		}
		chosen, used = append(chosen, p), plus(used, p)
	}
	if len(chosen) < 3 || len(chosen) == len(firsts) {
		return out
	}
	var t trade
	for _, p := range chosen {
		t.moves, t.predicted = append(t.moves, p.moves...), t.predicted+p.loss
	}
	if t.predicted >= limit-tolerance {
		return out
	}
	return append(out, t)
}

// realise returns the first n trades that really fit and whose policies satisfy pass. It sets their policies, each
// once.
func (s *state) realise(ts []trade, n int, pass func(quantize.Policy) bool) []trade {
	var out []trade
	seen := map[string]bool{}
	for _, t := range ts {
		if len(out) == n {
			break
		}
		t.policy = s.space.apply(s.at, t.moves...)
		if k := key(t.policy); s.fits(t.policy) && !seen[k] && pass(t.policy) {
			seen[k] = true
			out = append(out, t)
		}
	}
	return out
}
