package search

import (
	"cmp"
	"math"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// trade is a set of moves of different choices that probably fit together, with the change of loss they are predicted
// to cause.
type trade struct {
	moves     []move
	predicted float64
	policy    quantize.Policy // set by realise
}

// priced is a move, or one of a layer's weights with one of what it reads, and the change of loss and of the used share of
// each limit that they cause. Costs are products of both widths, so neither of the two has a price without the other.
type priced struct {
	moves []move
	loss  float64
	cost  []float64
	up    bool
}

// pairsUpTo is the number of moves in one direction up to which pairs of them are balanced as well. With few choices each
// is a large share of the budget, and only such trades lead from one good policy to the next; with many they are not
// needed and too many.
const pairsUpTo = 64

// tolerance keeps sums of floating point from deciding whether something helps.
const tolerance = 1e-9

// trades lists what is predicted to change the loss by less than limit, best first: every move up with one move down, and
// every move, or two where choices are few, with as many in the other direction as balance it, which reaches what pairs
// cannot where one choice is much dearer than another.
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

// price lists what takes and what frees budget.
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

// disjoint reports whether two changes are of different choices.
func disjoint(a, b priced) bool {
	for _, m := range a.moves {
		if slices.ContainsFunc(b.moves, func(o move) bool { return o.choice == m.choice }) {
			return false
		}
	}
	return true
}

// within reports whether no limit is exceeded after a change, as far as costs add up.
func within(used []float64, c priced) bool {
	for i, v := range used {
		if v+c.cost[i] > 1+tolerance {
			return false
		}
	}
	return true
}

// plus are the used shares after a change.
func plus(used []float64, c priced) []float64 {
	out := slices.Clone(used)
	for i := range out {
		out[i] += c.cost[i]
	}
	return out
}

// byRate sorts changes of one direction, those with the most gain per cost or the least loss per saving first.
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

// appendBalanced completes changes of one direction with changes in the other, in the order given: downwards until the
// limits hold, upwards while they do. Trades of one each are listed elsewhere.
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

// realise returns the first n trades that really fit and lead to policies that pass, with those policies, each once.
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
