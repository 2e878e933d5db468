package quantize

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// LimitPairs returns a supernet whose layers, on the path of a policy, cannot saturate on x86 CPUs without VNNI. These
// multiply unsigned activation codes by signed weight codes with an instruction that adds neighbouring products in 16
// bits and saturates, so a file would compute something else there than on every other CPU. Which weights are
// neighbours depends on the kernel, so any two of one sign and one output channel count. Where they can overflow, the
// channel's step doubles, which leaves its weights 7 bits: 2*64*255 fits. Only 8-bit weights are concerned, and not
// those of depthwise layers, whose kernels add in 32 bits. Codes of 7 bits are those that were chosen for them, if any were, and else the
// nearest. The names of the layers that changed come in network order;
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
		f, err := Fold(*l, s, w, a, grid.Scale)
		if err != nil {
			return nil, nil, err
		}
		name := WeightStepName(l.Node, w)
		step, err := sized(s, name, l.OutChannels)
		if err != nil {
			return nil, nil, fmt.Errorf("limit layer %q: %w", l.Node, err)
		}
		step = slices.Clone(step)
		changed := make([]bool, len(step))
		for k, worst := range WorstPairs(f.Codes, l.Shape, l.Axis) {
			if worst*int(grid.Hi) > math.MaxInt16 {
				step[k] *= 2
				changed[k] = true
			}
		}
		if !slices.Contains(changed, true) {
			continue
		}
		out.Arrays[name] = Array{Shape: s.Arrays[name].Shape, Data: step}
		limited = append(limited, l.Node)
		if chosen, ok := s.Arrays[LimitedName(l.Node)]; ok && len(chosen.Codes) == len(f.Codes) {
			out.Arrays[CodeName(l.Node, w)] = Array{Shape: chosen.Shape, Codes: exchanged(f.Codes, chosen.Codes, l, changed)}
		}
	}
	return out, limited, nil
}

// exchanged are codes with others in their place in some output channels.
func exchanged(codes, others []int8, l *Layer, channels []bool) []int8 {
	inner := l.Shape[l.Axis+1:].Numel()
	out := slices.Clone(codes)
	for i, c := range others {
		if channels[i/inner%l.OutChannels] {
			out[i] = c
		}
	}
	return out
}

// WorstPairs is, per index of an axis, the largest magnitude that two weight codes of one sign add up to.
func WorstPairs(codes []int8, shape []int, axis int) []int {
	channels, inner := shape[axis], 1
	for _, d := range shape[axis+1:] {
		inner *= d
	}
	type pair struct{ first, second int } // the largest two
	above, below := make([]pair, channels), make([]pair, channels)
	worst := make([]int, channels)
	for at, k := 0, 0; at < len(codes); at, k = at+inner, (k+1)%channels {
		for _, c := range codes[at : at+inner] {
			v, p := int(c), &above[k]
			if v < 0 {
				v, p = -v, &below[k]
			}
			switch {
			case v > p.first:
				p.first, p.second = v, p.first
			case v > p.second:
				p.second = v
			default:
				continue
			}
			worst[k] = max(worst[k], p.first+p.second)
		}
	}
	return worst
}
