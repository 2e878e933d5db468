// Package verification compares a file in the runtime with what it should compute: with the simulation, code by code, and behind
// the core with the float model.
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

// Check is what a comparison works with.
type Check struct {
	Dir      string // where models that are too large for memory lie for a moment
	Threads  int
	Provider string
	Pool     *par.Pool
	// Pictures hands over held-out pictures, at most so many, in batches.
	Pictures func(ctx context.Context, most, batch int, f func(Batch) error) error
}

// Batch is some of the pictures.
type Batch struct {
	X     []float32
	Shape tensor.Shape // begins with their number
	First int          // position of the first among all
}

func (b Batch) tensor() *tensor.Tensor { return tensor.From(b.Shape, b.X) }

// open makes a session of a model that is in no file, until it is closed.
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
