package quantize

import (
	"fmt"
	"maps"
	"slices"
)

// CodeName is the name of the codes that were chosen for a layer's weights at a bit-width. Without such codes, weights
// are rounded to nearest.
func CodeName(layer string, bits int) string { return fmt.Sprintf("code.%s.%d", layer, bits) }

// Suffixes of codes that cannot saturate, and of their steps: limitedEither is that of PairedEither for layers that
// tell it from PairedFlat.
const (
	limited       = ".limited"
	limitedEither = ".limited.either"
)

// LimitedName is the name of the 8-bit codes chosen for a layer's weights such that no pair can saturate: see
// LimitPairs. Pairings that are alike for the layer share them.
func LimitedName(l *Layer, order Pairing) string {
	return CodeName(l.Node, maxBits) + limitedSuffix(l, order)
}

// LimitedStepName names the step sizes of the codes that LimitedName names.
func LimitedStepName(l *Layer, order Pairing) string {
	return WeightStepName(l.Node, maxBits) + limitedSuffix(l, order)
}

func limitedSuffix(l *Layer, order Pairing) string {
	if order.Alike(PairedFlat, l.Shape, l.Axis) {
		return limited
	}
	return limitedEither
}

// CheckCodes is an error if codes of a supernet, or the step sizes beside them, do not fit a layer of the plan. It
// describes the first problem and counts the others.
func (p *Plan) CheckCodes(s *Supernet) error {
	var first error
	problems := 0
	for i := range p.Layers {
		l := &p.Layers[i]
		var errs []error
		for _, order := range l.Pairings() {
			errs = append(errs, checkLimited(l, s, order), checkSteps(l, s, LimitedStepName(l, order), LimitedName(l, order)))
		}
		for bits := minBits; bits <= maxBits; bits++ {
			codes := CodeName(l.Node, bits)
			errs = append(errs, checkCodes(l, s, codes, bits), checkSteps(l, s, WeightStepName(l.Node, bits), codes))
		}
		for _, err := range errs {
			if err == nil {
				continue
			}
			if problems++; first == nil {
				first = fmt.Errorf("layer %q: %w", l.Node, err)
			}
		}
	}
	if problems > 1 {
		return fmt.Errorf("%w; and %d problems more", first, problems-1)
	}
	return first
}

// checkCodes looks at one array, which need not be there.
func checkCodes(l *Layer, s *Supernet, name string, bits int) error {
	a, ok := s.Arrays[name]
	if !ok {
		return nil
	}
	if len(a.Codes) != l.Shape.Numel() {
		return fmt.Errorf("%d codes in %q, %d weights", len(a.Codes), name, l.Shape.Numel())
	}
	lo, hi := Levels(bits, true)
	for i, c := range a.Codes {
		if int(c) < lo || int(c) > hi {
			return fmt.Errorf("code %d of weight %d in %q lies outside %d bits", c, i, name, bits)
		}
	}
	return nil
}

// checkLimited looks at the codes that may stand in place of the nearest of eight bits.
func checkLimited(l *Layer, s *Supernet, order Pairing) error {
	name := LimitedName(l, order)
	if err := checkCodes(l, s, name, maxBits); err != nil || s.Arrays[name].Codes == nil {
		return err
	}
	if worst := slices.Max(WorstPairs(s.Arrays[name].Codes, l.Shape, l.Axis, order)); worst > PairLimit {
		return fmt.Errorf("two weights beside each other in %q add up to %d, and at most %d cannot saturate", name, worst, PairLimit)
	}
	return nil
}

// checkSteps looks at the steps of codes. Whether numbers can be scales, Fold says of those that are used.
func checkSteps(l *Layer, s *Supernet, name, codes string) error {
	a, ok := s.Arrays[name]
	_, chosen := s.Arrays[codes]
	switch {
	case ok != chosen:
		return fmt.Errorf("of %q and the codes at its steps only one is there", name)
	case ok && len(a.Data) != l.OutChannels:
		return fmt.Errorf("%d steps in %q, %d output channels", len(a.Data), name, l.OutChannels)
	}
	return nil
}

// Dequantized returns s without codes. Its weights are those that the codes of policy q stand for, which training of q
// can start from. Step sizes chosen for these codes stay; those of other widths no longer fit the weights.
func (s *Supernet) Dequantized(p *Plan, q Policy) (*Supernet, error) {
	out := &Supernet{Arrays: maps.Clone(s.Arrays), EPS: s.EPS}
	for i := range p.Layers {
		l := &p.Layers[i]
		bits, _ := p.Bits(q, i)
		chosen, ok := s.Arrays[CodeName(l.Node, bits)]
		if ok {
			step, err := sized(s, WeightStepName(l.Node, bits), l.OutChannels)
			if err != nil {
				return nil, fmt.Errorf("dequantize layer %q: %w", l.Node, err)
			}
			w, inner := make([]float32, len(chosen.Codes)), l.Inner()
			for k, c := range chosen.Codes {
				w[k] = step[k/inner%l.OutChannels] * float32(c)
			}
			out.Arrays[WeightName(l.Node)] = Array{Shape: chosen.Shape, Data: w}
		}
		out.dropCodes(l.Node)
	}
	return out, nil
}

// dropCodes takes the codes of a layer out.
func (s *Supernet) dropCodes(layer string) {
	for bits := minBits; bits <= maxBits; bits++ {
		delete(s.Arrays, CodeName(layer, bits))
	}
	for _, suffix := range []string{limited, limitedEither} {
		delete(s.Arrays, CodeName(layer, maxBits)+suffix)
		delete(s.Arrays, WeightStepName(layer, maxBits)+suffix)
	}
}
