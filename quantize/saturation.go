package quantize

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
)

// PairLimit is the most that the codes of two partners of one sign may add up to in magnitude: times the highest code of an activation it
// fits into 16 bits.
const PairLimit = math.MaxInt16 / math.MaxUint8

// Paired reports whether products of the layer's weights meet in 16 bits on x86 CPUs without VNNI: those of all layers but convolutions of
// every channel by itself, whose kernels add in 32 bits.
func (l *Layer) Paired() bool { return !l.Depthwise || l.Groups != l.OutChannels }

// LimitPairs returns a supernet whose layers, on the path of a policy, cannot saturate on x86 CPUs without VNNI. These
// multiply unsigned activation codes by signed weight codes with an instruction that adds neighbouring products in 16
// bits and saturates, so a file would compute something else there than on every other CPU: see Partners. Only 8-bit weights are concerned,
// and those of paired layers. An output channel that could overflow has the codes, at the step, that were chosen for it, if any were; else
// its step grows until no pair can. The names of the layers that changed come in network order; s itself is not changed.
func LimitPairs(p *Plan, s *Supernet, q Policy) (*Supernet, []string, error) {
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
		codes, over, err := out.overflowing(l, a, grid)
		if err != nil {
			return nil, nil, err
		}
		if len(over) == 0 {
			continue
		}
		if out.Arrays[LimitedName(l.Node)].Codes != nil {
			err = out.exchange(l, codes, over)
		} else {
			err = out.widen(l, a, grid, over)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("limit layer %q: %w", l.Node, err)
		}
		limited = append(limited, l.Node)
	}
	return out, limited, nil
}

// exchange gives the output channels of a layer that could overflow the codes that were chosen for them.
func (s *Supernet) exchange(l *Layer, codes []int8, over map[int]int) error {
	chosen, name := s.Arrays[LimitedName(l.Node)], WeightStepName(l.Node, maxBits)
	if err := checkLimited(l, s); err != nil {
		return err
	}
	steps, err := sized(s, LimitedStepName(l.Node), l.OutChannels)
	if err != nil {
		return err
	}
	own, err := sized(s, name, l.OutChannels)
	if err != nil {
		return err
	}
	own, codes = slices.Clone(own), slices.Clone(codes)
	inner := l.Shape[l.Axis+1:].Numel()
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

// widen makes the steps of output channels that could overflow larger until no pair can. Weights that lay beyond the codes before stay where
// these ended: that is what was trained.
func (s *Supernet) widen(l *Layer, a int, grid Grid, over map[int]int) error {
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
		if _, over, err = s.overflowing(l, a, grid); err != nil || len(over) == 0 {
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
	inner := l.Shape[l.Axis+1:].Numel()
	for i, w := range a.Data {
		by := step[i/inner%l.OutChannels]
		a.Data[i] = min(max(w, float32(lo)*by), float32(hi)*by)
	}
	s.Arrays[WeightName(l.Node)] = a
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

// ChannelWeights says where the weights of output channel k begin among those of a layer, and how far apart they are. Channels are counted by
// axis 0 of the shape or, in a matrix, by 0 or 1.
func ChannelWeights(shape []int, axis, k int) (first, stride int) {
	if axis == 1 {
		return k, shape[1]
	}
	return k * tensor.Shape(shape[1:]).Numel(), 1
}

// WorstPairs is, per output channel, the largest magnitude that two codes of one sign add up to which are partners; for axes see ChannelWeights.
func WorstPairs(codes []int8, shape []int, axis int) []int {
	partners, worst := Partners(shape, axis), make([]int, shape[axis])
	for k := range worst {
		first, stride := ChannelWeights(shape, axis, k)
		for i, j := range partners {
			c := int(codes[first+i*stride])
			worst[k] = max(worst[k], c, -c)
			if j <= i {
				continue // none, or seen
			}
			if d := int(codes[first+j*stride]); (c < 0) == (d < 0) {
				worst[k] = max(worst[k], c+d, -c-d)
			}
		}
	}
	return worst
}
