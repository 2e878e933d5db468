package record

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/export"
)

// Check says what cannot be true of a file.
func (f *File) Check() error {
	if f.Profile != FloatTarget && !slices.Contains(export.Profiles(), f.Profile) {
		return fmt.Errorf("profile %q is none", f.Profile)
	}
	if min(f.Bytes, f.CodesCompared, f.CodesDifferent, f.PlainLength, int64(f.Flips), int64(f.SamplesCompared), int64(f.MaxCodeDiff)) < 0 {
		return fmt.Errorf("file %s has a count below 0", f.Path)
	}
	if f.IntegerOps != nil && *f.IntegerOps < 0 {
		return fmt.Errorf("file %s has %d operators on integers", f.Path, *f.IntegerOps)
	}
	return checkShare(f.Top1)
}

// Check says what cannot be true of a result, and what a page cannot show.
func (r *Result) Check() error {
	for i := range r.Results {
		t := &r.Results[i]
		for k := range t.Files {
			if err := t.Files[k].Check(); err != nil {
				return fmt.Errorf("target %s: %w", t.Target, err)
			}
		}
		for _, p := range t.Policy {
			if min(p.W, p.A) < 1 || max(p.W, p.A) > FloatBits || min(p.MACs, p.Params) < 0 {
				return fmt.Errorf("target %s: node %q has %d and %d bits", t.Target, p.Node, p.W, p.A)
			}
		}
		if err := t.Metric.check(); err != nil {
			return fmt.Errorf("target %s: %w", t.Target, err)
		}
	}
	return nil
}
