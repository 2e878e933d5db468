package pipeline

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// takesThese refuses to compare a model with one that takes other pictures: both run on the same ones.
func (j *job) takesThese(path string) error {
	m, err := onnx.Load(path)
	if err != nil {
		return fmt.Errorf("%w: read model to compare with: %w", ErrUsage, err)
	}
	inputs := m.Graph.Inputs()
	if len(inputs) != 1 {
		return fmt.Errorf("%w: compare with %s: it has %d inputs, pictures fill one", ErrUsage, path, len(inputs))
	}
	shape, known := inputs[0].Shape()
	if known && !(len(shape) > 0 && takes(shape[1:], j.data.shape)) {
		return fmt.Errorf("%w: compare with %s: it takes %s, the pictures that are measured have %s; --against needs a model with the same input",
			ErrUsage, path, shape, j.data.shape)
	}
	return nil
}

// takes reports whether a picture fits what a model takes, of which dimensions below 0 are open.
func takes(model, picture tensor.Shape) bool {
	if len(model) != len(picture) {
		return false
	}
	for i, d := range model {
		if d >= 0 && d != picture[i] {
			return false
		}
	}
	return true
}
