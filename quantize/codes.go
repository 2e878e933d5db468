package quantize

import (
	"errors"
	"fmt"
	"maps"
)

// CodeName names the codes that were chosen for a layer's weights at a bit-width. Where there are none, weights are rounded to
// the nearest.
func CodeName(layer string, bits int) string { return fmt.Sprintf("code.%s.%d", layer, bits) }

// LimitedName names the codes that were chosen for a layer's weights at twice the step of 8 bits, seven bits each: see LimitPairs.
func LimitedName(layer string) string { return CodeName(layer, maxBits) + ".limited" }

// CheckCodes says what is wrong with the codes of a supernet, and with the steps of those that lie beside them: arrays of another size, codes
// outside their width, steps that no runtime takes.
func (p *Plan) CheckCodes(s *Supernet) error {
	var errs []error
	for i := range p.Layers {
		l := &p.Layers[i]
		for bits := minBits; bits <= maxBits; bits++ {
			errs = append(errs, checkCodes(l, s, CodeName(l.Node, bits), bits))
			errs = append(errs, checkSteps(l, s, WeightStepName(l.Node, bits)))
		}
		errs = append(errs, checkCodes(l, s, LimitedName(l.Node), maxBits-1))
	}
	return errors.Join(errs...)
}

// checkCodes looks at one array, which need not be there.
func checkCodes(l *Layer, s *Supernet, name string, bits int) error {
	a, ok := s.Arrays[name]
	if !ok {
		return nil
	}
	if len(a.Codes) != l.Shape.Numel() {
		return fmt.Errorf("layer %q: %d codes in %q, %d weights", l.Node, len(a.Codes), name, l.Shape.Numel())
	}
	lo, hi := Levels(bits, true)
	for i, c := range a.Codes {
		if int(c) < lo || int(c) > hi {
			return fmt.Errorf("layer %q: code %d of weight %d in %q lies outside %d bits", l.Node, c, i, name, bits)
		}
	}
	return nil
}

// checkSteps looks at the steps of a layer's output channels, which need not be there.
func checkSteps(l *Layer, s *Supernet, name string) error {
	a, ok := s.Arrays[name]
	if !ok {
		return nil
	}
	if len(a.Data) != l.OutChannels {
		return fmt.Errorf("layer %q: %d steps in %q, %d output channels", l.Node, len(a.Data), name, l.OutChannels)
	}
	for k, step := range a.Data {
		if !usableScale(step) {
			return fmt.Errorf("layer %q: step %g of channel %d in %q is not positive", l.Node, step, k, name)
		}
	}
	return nil
}

// Dequantized returns s without codes, and with the weights that they stand for on the path of a policy: what training can begin with.
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
			w, inner := make([]float32, len(chosen.Codes)), l.Shape[l.Axis+1:].Numel()
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
	delete(s.Arrays, LimitedName(layer))
}
