package dataset

import (
	"context"
	"sync/atomic"

	"github.com/mpqc/mpqc/internal/tensor"
)

// source is what the reader of a format makes of its files: items in a fixed order, and a function that fetches each.
type source struct {
	items   []item
	classes []string     // names by label; nil if the format has none
	shape   tensor.Shape // of each item that is a model's input already; nil: items are images
	// fetch decodes item i once there is memory. It is safe for concurrent use.
	fetch func(ctx context.Context, i int, memory room) (sample, error)
	// memory is shared by all decoders.
	memory *budget
	// fingerprint is a hash of the contents of the files or, for folders of images, of names, sizes and checksums.
	fingerprint string
	close       func() error // nil if nothing stays open
	users       atomic.Int32 // sets that are not closed
}

// release removes one user; the last one closes the files.
func (s *source) release() error {
	if s.users.Add(-1) > 0 {
		return nil
	}
	return s.shut()
}

// shut closes the files.
func (s *source) shut() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

// item is one sample before it is decoded.
type item struct {
	name  string
	split string // Train, Val, Test, or "" if the data does not say
	label int32  // -1: none
}

// sample is what fetch returns: an image, or values that are a model's input already.
type sample struct {
	bitmap *bitmap
	values []float32
}

// labelled reports whether every item has a label.
func (s *source) labelled() bool {
	for _, it := range s.items {
		if it.label < 0 {
			return false
		}
	}
	return len(s.items) > 0
}
