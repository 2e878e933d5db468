package pipeline

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/pipeline/delivery"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/network/partition"
	"github.com/mpqc/mpqc/pipeline/samples"
)

// scored is a model file as far as what predictions are measured by.
type scored struct {
	session.Document
	part *onnx.Model // what the document holds
	file *onnx.Model // the whole
}

// readScores reads a file of mpqc up to where its tail begins, unless there are layers in that, others up to the scores
// in front of a last Softmax or ArgMax.
func readScores(path string) (s scored, err error) {
	if s.Document, err = session.Read(path); err != nil {
		return s, err
	}
	if s.file, err = delivery.LoadInward(path); err != nil {
		return s, err
	}
	if inHalf(s.file) {
		if _, err = (pass.Sequence{pass.WidenHalf{}}).Run(s.file); err != nil {
			return s, err
		}
		if s.Document, err = session.Encode(s.file, path); err != nil {
			return s, err
		}
	}
	s.part = s.file
	if s.file.Large() || len(s.file.Graph.Outputs()) == 0 {
		return s, nil
	}
	cut, err := partition.Scores(s.file)
	if err != nil || len(cut) == 0 {
		return s, err
	}
	if s.part, err = s.file.Extract(onnx.Names(s.file.Graph.Inputs()), cut); err != nil {
		return s, err
	}
	s.Document, err = session.Encode(s.part, path)
	return s, err
}

// inHalf reports whether an input or output of a model is in half precision, which no samples and no logits are.
func inHalf(m *onnx.Model) bool {
	return slices.ContainsFunc(append(m.Graph.Inputs(), m.Graph.Outputs()...), func(v *onnx.Value) bool {
		return v.DType() == tensor.Float16 || v.DType() == tensor.BFloat16
	})
}

// takesThese refuses to compare a model with one that takes other samples: both run on the same ones.
func takesThese(p *samples.Samples, path string) error {
	m, err := onnx.Load(path)
	if err != nil {
		return fmt.Errorf("%w: read model to compare with: %w", ErrUsage, err)
	}
	inputs := m.Graph.Inputs()
	if len(inputs) != 1 {
		return fmt.Errorf("%w: compare with %s: it has %d inputs, samples fill one", ErrUsage, path, len(inputs))
	}
	shape, known := inputs[0].Shape()
	if known && !(len(shape) > 0 && takes(shape[1:], p.Shape)) {
		return fmt.Errorf("%w: compare with %s: it takes %s, the samples that are measured have %s; --against needs a model with the same input",
			ErrUsage, path, shape, p.Shape)
	}
	return nil
}

// takes reports whether a sample fits what a model takes, of which dimensions below 0 are open.
func takes(model, sample tensor.Shape) bool {
	if len(model) != len(sample) {
		return false
	}
	for i, d := range model {
		if d >= 0 && d != sample[i] {
			return false
		}
	}
	return true
}
