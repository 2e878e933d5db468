// Package samples holds the samples of a run, in their splits, and draws from them.
package samples

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models/dataset"
)

// Samples are the splits of the data of a run. Everything but the final numbers and the verdict on a search comes from
// Train.
type Samples struct {
	Train, Test *dataset.Set
	HeldOut     *dataset.Set // held out from training and search; empty where the data is too small for that
	Path        string       // absolute, of the files
	Fingerprint string       // of the files
	Stamp       string       // of everything that decides which numbers come out of them, and in which split
	Shape       tensor.Shape // of one sample, as the model takes it
	Elements    int          // of one sample
	Labels      bool         // they have some, and these are to be used
	// Preprocessing is JSON of what was stated or edited, "" where the model's own holds.
	Preprocessing string

	checked bool // broken test samples are out
}

// Close releases the files behind the samples.
func (p *Samples) Close() error {
	return errors.Join(p.Train.Close(), p.Test.Close(), p.HeldOut.Close())
}

// Batch is one on its way through a loop: N samples of X, their labels, and how many are done with it.
type Batch struct {
	X      []float32
	Labels []int32
	N      int
	First  int // position of its first sample among the indices
	Done   int
}

// Each decodes the samples of a set in the order of indices, ahead of their use, and calls f batch by batch. The
// batch is valid until f returns.
func (p *Samples) Each(ctx context.Context, set *dataset.Set, indices []int, batch int, f func(Batch) error) error {
	return EachOf(ctx, set, dataset.LoaderOptions{Batch: batch, Indices: indices}, f)
}

// EachOf is Each of samples as the options of a loader have them, augmented for example.
func EachOf(ctx context.Context, set *dataset.Set, o dataset.LoaderOptions, f func(Batch) error) error {
	l := set.NewLoader(ctx, o)
	defer l.Close()
	for done := 0; ; {
		b, err := l.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read samples: %w", err)
		}
		n := len(b.Indices)
		if err := f(Batch{b.X, b.Labels, n, done, done + n}); err != nil {
			return err
		}
		done += n
	}
}

// BatchShape is the shape of n samples.
func (p *Samples) BatchShape(n int) tensor.Shape {
	return append(tensor.Shape{n}, p.Shape...)
}
