package quantize

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// PairLimit is the most that the codes of two partners of one sign may add up to in magnitude: times the highest code of an activation it
// fits into 16 bits.
const PairLimit = math.MaxInt16 / math.MaxUint8

// LimitPairs returns a supernet whose layers, on the path of a policy, cannot saturate on x86 CPUs without VNNI. These
// multiply unsigned activation codes by signed weight codes with an instruction that adds neighbouring products in 16
// bits and saturates, so a file would compute something else there than on every other CPU: see Partners. Only 8-bit weights are concerned,
// and not those of depthwise layers, whose kernels add in 32 bits. An output channel that could overflow has the codes, at the step,
// that were chosen for it, if any were; else its step grows until no pair can. The names of the layers that changed come in network order;
// s itself is not changed.
func LimitPairs(p *Plan, s *Supernet, q Policy) (*Supernet, []string, error) {
	out := &Supernet{Arrays: maps.Clone(s.Arrays), EPS: s.EPS}
	var limited []string
	for i := range p.Layers {
		l := &p.Layers[i]
		w, a := p.Bits(q, i)
		if w != maxBits || l.Depthwise {
			continue
		}
		grid, _, err := p.Read(s, q, i)
		if err != nil {
			return nil, nil, err
		}
		changed, err := out.limit(l, a, grid)
		if err != nil {
			return nil, nil, fmt.Errorf("limit layer %q: %w", l.Node, err)
		}
		if changed {
			limited = append(limited, l.Node)
		}
	}
	return out, limited, nil
}

// limit does that to a layer, which reads codes of a grid, at a bits.
func (s *Supernet) limit(l *Layer, a int, grid Grid) (changed bool, err error) {
	codes, over, err := s.overflowing(l, a, grid)
	if err != nil || len(over) == 0 {
		return false, err
	}
	name := WeightStepName(l.Node, maxBits)
	step, err := sized(s, name, l.OutChannels)
	if err != nil {
		return false, err
	}
	step = slices.Clone(step)
	s.Arrays[name] = Array{Shape: s.Arrays[name].Shape, Data: step}
	if chosen, ok := s.Arrays[LimitedName(l.Node)]; ok {
		steps, err := sized(s, LimitedStepName(l.Node), l.OutChannels)
		if err != nil {
			return false, err
		}
		if len(chosen.Codes) != len(codes) {
			return false, fmt.Errorf("%d codes in %q, %d weights", len(chosen.Codes), LimitedName(l.Node), len(codes))
		}
		for k := range over {
			step[k] = steps[k]
		}
		s.Arrays[CodeName(l.Node, maxBits)] = Array{Shape: chosen.Shape, Codes: exchanged(codes, chosen.Codes, l, over)}
		return true, nil
	}
	for len(over) > 0 {
		for k, worst := range over { // codes are rounded, so their sums may be off by one
			step[k] *= min(float32(worst+1)*float32(grid.Hi)/(math.MaxInt16-float32(grid.Hi)), 2)
		}
		if _, over, err = s.overflowing(l, a, grid); err != nil {
			return false, err
		}
	}
	return true, nil
}

// overflowing are the codes of a layer's weights at eight bits, and by output channel what the worst of the pairs add up to that can overflow.
func (s *Supernet) overflowing(l *Layer, a int, grid Grid) (codes []int8, over map[int]int, err error) {
	f, err := Fold(*l, s, maxBits, a, grid.Scale)
	if err != nil {
		return nil, nil, err
	}
	over = map[int]int{}
	for k, worst := range WorstPairs(f.Codes, l.Shape, l.Axis) {
		if worst*int(grid.Hi) > math.MaxInt16 {
			over[k] = worst
		}
	}
	return f.Codes, over, nil
}

// exchanged are codes with others in their place in some output channels.
func exchanged(codes, others []int8, l *Layer, channels map[int]int) []int8 {
	inner := l.Shape[l.Axis+1:].Numel()
	out := slices.Clone(codes)
	for i, c := range others {
		if _, ok := channels[i/inner%l.OutChannels]; ok {
			out[i] = c
		}
	}
	return out
}

// Partners says of each weight of an output channel, in the order in which the layer's weights have them, which other one kernels without
// VNNI multiply beside it; -1 for none. These read four weights at a time, as onnxruntime packs them: filters as [position, input channel]
// (MlasConvSymPackW, or ReorderFilter of QLinearConv and then MlasGemmPackB), matrices row by row. The first two of the four are partners, and
// the last two.
func Partners(shape []int, axis int) []int {
	weights, channels, positions := 1, 1, 1
	for i, d := range shape {
		if i == axis {
			continue
		}
		if weights *= d; i < 2 {
			channels *= d
		} else {
			positions *= d
		}
	}
	partners := make([]int, weights)
	at := func(k int) int { return k%channels*positions + k/channels }
	for k := range partners {
		partners[at(k)] = -1
		if k^1 < weights {
			partners[at(k)] = at(k ^ 1)
		}
	}
	return partners
}

// WorstPairs is, per index of an axis, the largest magnitude that two codes of one sign add up to which are partners.
func WorstPairs(codes []int8, shape []int, axis int) []int {
	partners, worst := Partners(shape, axis), make([]int, shape[axis])
	first, stride := len(partners), 1
	if axis == 1 {
		first, stride = 1, shape[1]
	}
	for k := range worst {
		for i, j := range partners {
			c := int(codes[k*first+i*stride])
			worst[k] = max(worst[k], c, -c)
			if j < 0 {
				continue
			}
			if d := int(codes[k*first+j*stride]); (c < 0) == (d < 0) {
				worst[k] = max(worst[k], c+d, -c-d)
			}
		}
	}
	return worst
}
