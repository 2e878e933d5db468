package options

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/selection/policy"
	"github.com/mpqc/mpqc/quantize"
)

// ErrUsage is wrapped by errors that the caller can repair by asking differently.
var ErrUsage = errors.New("usage")

// Validate lists all problems of stated options in one error that wraps ErrUsage.
func (o Options) Validate() error {
	var bad problems
	o.checkTask(&bad)
	o.checkQuantization(&bad)
	o.checkSchedule(&bad)
	o.checkNumbers(&bad)
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUsage, strings.Join(bad, "; "))
}

// problems of options.
type problems []string

// check adds a problem where something does not hold.
func (p *problems) check(holds bool, format string, args ...any) {
	if !holds {
		*p = append(*p, fmt.Sprintf(format, args...))
	}
}

// add adds an error; nil is none.
func (p *problems) add(err error) {
	if err != nil {
		*p = append(*p, err.Error())
	}
}

// oneOf adds a problem where a value that is stated is none of a list.
func (p *problems) oneOf(name, value string, of ...string) {
	last := len(of) - 1
	p.check(value == "" || slices.Contains(of, value), "%s: %q is not %s or %s", name, value, strings.Join(of[:last], ", "), of[last])
}

// checkTask looks at what to work on and what to aim at.
func (o *Options) checkTask(p *problems) {
	for _, t := range o.Targets {
		_, err := quantize.ParseTarget(t)
		p.add(err)
	}
	for _, r := range append(slices.Clone(o.Pins), o.Caps...) {
		_, err := policy.ParseRule(r)
		p.add(err)
	}
	_, err := quantize.ParseOutputKinds(o.OutputKinds)
	p.add(err)
	p.add(o.Edit.Validate())
	p.check(!o.Float || len(o.Targets)+len(o.Pins)+len(o.Caps) == 0 && o.Policy == "", "bits: float takes no target, pin, cap or policy")
	p.check(o.Policy == "" || len(o.Targets) <= 1, "policy: it is one result and cannot stand for %d targets", len(o.Targets))
	p.check(o.Policy == "" || len(o.Pins)+len(o.Caps) == 0, "policy: it says every width; pin and cap have nothing left to do")
	p.check(o.Polish == nil || !o.SearchOnly && !o.Float, "polish: it trains a quantized policy, a search alone or --bits float does not")
	p.oneOf("provider", o.Provider, "cpu", "cuda", "tensorrt")
}

// checkQuantization looks at how to quantize.
func (o *Options) checkQuantization(p *problems) {
	for _, bits := range union(o.WeightBits, o.ActivationBits) { // --bits states both
		p.check(bits >= 2 && bits <= 8, "bits: %d is not between 2 and 8", bits)
	}
	p.check(!o.Float || len(o.WeightBits)+len(o.ActivationBits) == 0, "bits: float and numbers exclude each other")
	for _, name := range o.Profiles {
		profile, err := export.ProfileOf(name)
		p.check(err == nil, "profile: %q is not one of %s", name, strings.Join(export.Profiles(), ", "))
		p.check(!o.Packed || profile.Unpackable == "", "profile: %s has no packed weights: %s", name, profile.Unpackable)
	}
	_, err := calibrate.ParseRanges(o.Ranges)
	p.add(err)
	p.oneOf("rounding", o.Rounding, RoundingCompensated, RoundingNearest)
}

// checkSchedule looks at how to train.
func (o *Options) checkSchedule(p *problems) {
	p.oneOf("effort", o.Effort, "quick", "standard", "paper")
	p.oneOf("sampling", o.Sampling, SamplingFront, SamplingTilted, SamplingUniform)
	for _, a := range o.Augment {
		p.check(slices.Contains([]string{"flip", "crop", "none"}, a), "augment: %q is not flip, crop or none", a)
	}
	p.check(o.Epochs == nil || o.Time == 0, "epochs and time exclude each other")
}

// union is a and what b has besides.
func union(a, b []int) []int {
	out := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
