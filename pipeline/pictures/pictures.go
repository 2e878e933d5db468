// Package pictures holds the pictures of a run, in their splits, and draws from them.
package pictures

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models/dataset"
)

// Pictures are the splits of the data of a run. Everything but the final numbers and the verdict on a search comes from Train.
type Pictures struct {
	Train, Test *dataset.Set
	HeldOut     *dataset.Set // held out from training and search; empty where the data is too small for that
	Fingerprint string       // of the files
	Stamp       string       // of everything that decides which numbers come out of them, and in which split
	Shape       tensor.Shape // of one picture, as the model takes it
	Elements    int          // of one picture
	Labels      bool         // they have some, and these are to be used
	// Preprocessing is JSON of what was stated or edited, "" where the model's own holds.
	Preprocessing string

	checked bool // broken test pictures are out
}

// Close releases the files behind the pictures.
func (p *Pictures) Close() error {
	return errors.Join(p.Train.Close(), p.Test.Close(), p.HeldOut.Close())
}

// Batch is one on its way through a loop: N pictures of X, their labels, and how many are done with it.
type Batch struct {
	X      []float32
	Labels []int32
	N      int
	First  int // position of its first picture among the indices
	Done   int
}

// Each decodes the pictures of a set in the order of indices, ahead of their use, and calls f batch by batch. The
// batch is valid until f returns.
func (p *Pictures) Each(ctx context.Context, set *dataset.Set, indices []int, batch int, f func(Batch) error) error {
	return EachOf(ctx, set, dataset.LoaderOptions{Batch: batch, Indices: indices}, f)
}

// EachOf is Each of pictures as the options of a loader have them, augmented for example.
func EachOf(ctx context.Context, set *dataset.Set, o dataset.LoaderOptions, f func(Batch) error) error {
	l := set.NewLoader(ctx, o)
	defer l.Close()
	for done := 0; ; {
		b, err := l.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read pictures: %w", err)
		}
		n := len(b.Indices)
		if err := f(Batch{b.X, b.Labels, n, done, done + n}); err != nil {
			return err
		}
		done += n
	}
}

// BatchShape is the shape of n pictures.
func (p *Pictures) BatchShape(n int) tensor.Shape {
	return append(tensor.Shape{n}, p.Shape...)
}
