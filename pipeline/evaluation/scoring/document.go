package scoring

import (
	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/quantize"
)

// Document encodes policy p for onnxruntime, exactly as a file of the profile computes it. m is the model of the plan.
// A model too large for memory is written below dir until remove is called.
func Document(m *onnx.Model, plan *quantize.Plan, s *quantize.Supernet, p quantize.Policy, profile export.Profile, dir string) (d session.Document, remove func(), err error) {
	if s, _, err = profile.Supernet(plan, s, p); err != nil {
		return d, nil, err
	}
	file, err := export.Export(m, plan, s, p, export.Options{Profile: profile.Name})
	if err != nil {
		return d, nil, err
	}
	if file, err = export.Standard(file); err != nil {
		return d, nil, err
	}
	d, remove, err = session.Of(file, dir)
	return d.Exactly(profile.Exact()), remove, err
}
