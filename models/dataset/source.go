package dataset

import (
	"context"
	"sync/atomic"

	"github.com/mpqc/mpqc/internal/tensor"
)

// source is what a format's reader makes of its files: items in a fixed order, and the means to fetch each.
type source struct {
	items   []item
	classes []string     // names by label; nil where the format has none
	shape   tensor.Shape // of each item that is a model's input already; nil: they are pictures
	// fetch decodes item i, once there is room for that. It is called by several goroutines at once.
	fetch func(ctx context.Context, i int, memory room) (sample, error)
	// memory is what all decoders share.
	memory *budget
	// fingerprint is a hash of the files' content or, for folders of pictures, of their names, sizes and checksums.
	fingerprint string
	close       func() error // nil where nothing stays open
	users       atomic.Int32 // sets that are not closed
}

// release takes one user away; the last one closes the files.
func (s *source) release() error {
	if s.users.Add(-1) > 0 {
		return nil
	}
	return s.shut()
}

func (s *source) shut() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

// item is one picture before it is decoded.
type item struct {
	name  string
	split string // Train, Val, Test, or "" where the data says nothing
	label int32  // -1: none
}

// sample is what fetch returns: a picture, or values that are a model's input already.
type sample struct {
	picture *picture
	values  []float32
}

func (s *source) labelled() bool {
	for _, it := range s.items {
		if it.label < 0 {
			return false
		}
	}
	return len(s.items) > 0
}
