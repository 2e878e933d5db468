package pipeline

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/quantize"
)

// What can be wrong with the documents of a workspace; see workspace.Document.

// Check implements workspace.Document.
func (f *found) Check(plan *quantize.Plan) error {
	if f.Result == nil {
		return errors.New("it holds no result")
	}
	if m := f.Polish; m != nil && !(m.Epochs > 0) {
		return fmt.Errorf("it says that the policy was polished for %g epochs", m.Epochs)
	}
	if v := f.Verdict; v != nil && v.Pictures < 0 {
		return fmt.Errorf("it was judged on %d pictures", v.Pictures)
	}
	return f.Result.Check(plan)
}

// Check implements workspace.Document.
func (d *drawn) Check(plan *quantize.Plan) error {
	if plan != nil {
		for _, p := range d.Front {
			if err := plan.Validate(p); err != nil {
				return err
			}
		}
	}
	if d.Sensitivity == nil {
		return nil
	}
	return d.Sensitivity.Check(plan)
}

// Check implements workspace.Document.
func (s *Survey) Check(plan *quantize.Plan) error {
	if len(s.Reads) != len(s.Layers) || s.Pictures < 0 {
		return fmt.Errorf("%d layers read %d tensors, on %d pictures", len(s.Layers), len(s.Reads), s.Pictures)
	}
	for i, k := range s.Reads {
		if k < 0 || k >= len(s.Tensors) {
			return fmt.Errorf("layer %q reads tensor %d of %d", s.Layers[i], k, len(s.Tensors))
		}
	}
	if plan != nil {
		for i := range s.Layers {
			if i >= len(plan.Layers) || s.Layers[i] != plan.Layers[i].Node {
				return fmt.Errorf("layer %d is %q, which is none of the plan there", i, s.Layers[i])
			}
		}
	}
	if s.Sensitivity == nil {
		if len(s.Front) > 0 {
			return errors.New("it has policies and no sensitivities")
		}
		return nil
	}
	if len(s.Sensitivity.W) != len(s.Layers) || len(s.Sensitivity.A) != len(s.Tensors) {
		return fmt.Errorf("sensitivities of %d layers and %d tensors, of which there are %d and %d",
			len(s.Sensitivity.W), len(s.Sensitivity.A), len(s.Layers), len(s.Tensors))
	}
	for _, p := range slices.Concat(s.Front, s.Uniform) {
		if len(p.Policy.W) != len(s.Layers) || len(p.Policy.A) != len(s.Tensors) {
			return fmt.Errorf("a policy has %d layers and %d tensors, of which there are %d and %d", len(p.Policy.W), len(p.Policy.A), len(s.Layers), len(s.Tensors))
		}
		if err := p.Check(plan); err != nil {
			return err
		}
	}
	return s.Sensitivity.Check(plan)
}

// Check implements workspace.Document.
func (r *ImportResult) Check(plan *quantize.Plan) error {
	names := map[string]bool{}
	for _, l := range r.Layers {
		names[l.Node] = true
		if l.MACs < 0 || l.Params < 0 {
			return fmt.Errorf("layer %q has %d MACs and %d parameters", l.Node, l.MACs, l.Params)
		}
	}
	for _, g := range r.Groups {
		for _, node := range g.Layers {
			if !names[node] {
				return fmt.Errorf("tensor %q is read by %q, which is no layer", g.Tensor, node)
			}
		}
	}
	if plan == nil {
		return nil
	}
	for i := range plan.Layers {
		if !names[plan.Layers[i].Node] {
			return fmt.Errorf("layer %q is missing", plan.Layers[i].Node)
		}
	}
	return nil
}

// Check implements workspace.Document.
func (e *exported) Check(plan *quantize.Plan) error {
	if !slices.Contains(export.Profiles(), e.Profile) {
		return fmt.Errorf("profile %q is none", e.Profile)
	}
	if path.Dir(path.Clean(e.Overlay)) != "search" || !strings.HasSuffix(e.Overlay, ".safetensors") {
		return fmt.Errorf("its arrays lie in %q, not in search/", e.Overlay)
	}
	if plan == nil {
		return nil
	}
	return plan.Validate(e.Policy)
}

// Check implements workspace.Document.
func (d *delivered) Check(*quantize.Plan) error {
	return errors.Join(d.File.Check(), d.Metric.check(), checkHits(d.Hits))
}

// Check implements workspace.Document.
func (m *measured) Check(*quantize.Plan) error {
	return errors.Join(m.Metric.check(), checkHits(m.Hits))
}

// checkHits wants a 0 or a 1 for each picture.
func checkHits(hits []byte) error {
	if i := slices.IndexFunc(hits, func(b byte) bool { return b > 1 }); i >= 0 {
		return fmt.Errorf("picture %d was right %d times", i, hits[i])
	}
	return nil
}

func (m *Metric) check() error { return errors.Join(checkShare(m.Top1), checkShare(&m.Agreement)) }

// checkShare wants a number from 0 to 1, or none.
func checkShare(s *float64) error {
	if s != nil && (*s < 0 || *s > 1) {
		return fmt.Errorf("%g is no share", *s)
	}
	return nil
}

// Check says what cannot be true of a file.
func (f *File) Check() error {
	if f.Profile != floatTarget && !slices.Contains(export.Profiles(), f.Profile) {
		return fmt.Errorf("profile %q is none", f.Profile)
	}
	if min(f.Bytes, f.CodesCompared, f.CodesDifferent, f.PlainLength, int64(f.Flips), int64(f.PicturesCompared), int64(f.MaxCodeDiff)) < 0 {
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
			if min(p.W, p.A) < 1 || max(p.W, p.A) > floatBits || min(p.MACs, p.Params) < 0 {
				return fmt.Errorf("target %s: node %q has %d and %d bits", t.Target, p.Node, p.W, p.A)
			}
		}
		if err := t.Metric.check(); err != nil {
			return fmt.Errorf("target %s: %w", t.Target, err)
		}
	}
	return nil
}

// Check says what a page cannot show of an insight.
func (in *Insight) Check() error {
	if in.Training == nil {
		return nil
	}
	return in.Training.Check(nil)
}
