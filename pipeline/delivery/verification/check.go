// Package verification compares an exported file, run by onnxruntime, with what it should compute. That is the integer
// simulation for the quantized core, code by code, and the float model for the tail.
package verification

import (
	"context"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
)

// Version rises when verification asks for more, so that files are looked at again.
const Version = 5

// Check holds what comparisons need.
type Check struct {
	Dir      string // for temporary files of models that are too large for memory
	Threads  int
	Provider string
	Pool     *par.Pool
	// Samples yields at most most held-out samples, in batches.
	Samples func(ctx context.Context, most, batch int, f func(Batch) error) error
}

// Batch is a batch of samples.
type Batch struct {
	X     []float32    // of shape Shape, row-major
	Shape tensor.Shape // begins with the number of samples
	First int          // index of the first sample
}

// tensor returns the batch as a tensor, which shares X.
func (b Batch) tensor() *tensor.Tensor { return tensor.From(b.Shape, b.X) }

// open loads a model that is not in a file. closed frees the session and temporary files.
func (c Check) open(m *onnx.Model, o ort.Options) (s *ort.Session, closed func(), err error) {
	d, remove, err := session.Of(m, c.Dir)
	if err != nil {
		return nil, nil, err
	}
	if s, err = d.Open(o); err != nil {
		remove()
		return nil, nil, err
	}
	return s, func() {
		_ = s.Close() // only read
		remove()
	}, nil
}
