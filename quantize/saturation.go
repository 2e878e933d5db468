package quantize

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// LimitPairs returns a supernet whose layers, on the path of a policy, cannot saturate on x86 CPUs without VNNI. These
// multiply unsigned activation codes by signed weight codes with an instruction that adds neighbouring products in 16
// bits and saturates. A file would then compute something else there than on every other CPU. Which weights are
// neighbours follows from the order; none are for Unpaired, and s is returned.
//
// Only 8-bit weights of paired layers are concerned. An output channel that could overflow gets the codes that were
// chosen for that, at their step. Without such codes its step grows until no pair can overflow. The names of the layers
// that changed come in network order; s itself is not changed.
func LimitPairs(p *Plan, s *Supernet, q Policy, order Pairing) (*Supernet, []string, error) {
	if order == Unpaired {
		return s, nil, nil
	}
	out := &Supernet{Arrays: maps.Clone(s.Arrays), EPS: s.EPS}
	var limited []string
	for i := range p.Layers {
		l := &p.Layers[i]
		w, a := p.Bits(q, i)
		if w != maxBits || !l.Paired() {
			continue
		}
		grid, _, err := p.Read(s, q, i)
		if err != nil {
			return nil, nil, err
		}
		codes, over, err := out.overflowing(l, a, grid, order)
		if err != nil {
			return nil, nil, err
		}
		if len(over) == 0 {
			continue
		}
		if out.Arrays[LimitedName(l, order)].Codes != nil {
			err = out.exchange(l, codes, over, order)
		} else {
			err = out.widen(l, a, grid, over, order)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("limit layer %q: %w", l.Node, err)
		}
		limited = append(limited, l.Node)
	}
	return out, limited, nil
}

// exchange gives the output channels of a layer that could overflow the codes that were chosen for them.
func (s *Supernet) exchange(l *Layer, codes []int8, over map[int]int, order Pairing) error {
	chosen, name := s.Arrays[LimitedName(l, order)], WeightStepName(l.Node, maxBits)
	if err := checkLimited(l, s, order); err != nil {
		return err
	}
	steps, err := sized(s, LimitedStepName(l, order), l.OutChannels)
	if err != nil {
		return err
	}
	own, err := sized(s, name, l.OutChannels)
	if err != nil {
		return err
	}
	own, codes = slices.Clone(own), slices.Clone(codes)
	inner := l.Inner()
	for i, c := range chosen.Codes {
		if k := i / inner % l.OutChannels; over[k] > 0 {
			codes[i], own[k] = c, steps[k]
		}
	}
	s.Arrays[name] = Array{Shape: s.Arrays[name].Shape, Data: own}
	s.Arrays[CodeName(l.Node, maxBits)] = Array{Shape: chosen.Shape, Codes: codes}
	return nil
}

// mostWidenings is more than any weights need: what is left after the first is off by rounding.
const mostWidenings = 16

// widen makes the steps of output channels that could overflow larger until no pair can. Weights that lay beyond the
// codes before stay where these ended: that is what was trained.
func (s *Supernet) widen(l *Layer, a int, grid Grid, over map[int]int, order Pairing) error {
	name := WeightStepName(l.Node, maxBits)
	if s.Arrays[CodeName(l.Node, maxBits)].Codes != nil {
		return fmt.Errorf("%q has pairs that could saturate, whatever the step", CodeName(l.Node, maxBits))
	}
	step, err := sized(s, name, l.OutChannels)
	if err != nil {
		return err
	}
	step = slices.Clone(step)
	s.clamp(l, step)
	s.Arrays[name] = Array{Shape: s.Arrays[name].Shape, Data: step}
	for range mostWidenings {
		for k, worst := range over { // codes are rounded, so their sums may be off by one
			step[k] *= float32(worst+1) * float32(grid.Hi) / (math.MaxInt16 - float32(grid.Hi))
		}
		if _, over, err = s.overflowing(l, a, grid, order); err != nil || len(over) == 0 {
			return err
		}
	}
	return fmt.Errorf("no step of %q keeps its pairs from saturating", name)
}

// clamp keeps a layer's weights within the codes of eight bits at steps per output channel.
func (s *Supernet) clamp(l *Layer, step []float32) {
	a := s.Arrays[WeightName(l.Node)]
	a.Data = slices.Clone(a.Data)
	lo, hi := Levels(maxBits, true)
	inner := l.Inner()
	for i, w := range a.Data {
		by := step[i/inner%l.OutChannels]
		a.Data[i] = min(max(w, float32(lo)*by), float32(hi)*by)
	}
	s.Arrays[WeightName(l.Node)] = a
}

// overflowing are the codes of a layer's weights at eight bits and, by output channel, the sum of the worst of the
// pairs that can overflow.
func (s *Supernet) overflowing(l *Layer, a int, grid Grid, order Pairing) (codes []int8, over map[int]int, err error) {
	f, err := Fold(*l, s, maxBits, a, grid.Scale)
	if err != nil {
		return nil, nil, err
	}
	over = map[int]int{}
	for k, worst := range WorstPairs(f.Codes, l.Shape, l.Axis, order) {
		if worst*int(grid.Hi) > math.MaxInt16 {
			over[k] = worst
		}
	}
	return f.Codes, over, nil
}
