package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mpqc/mpqc/internal/tensor"
)

// maxBad is the share of samples that may be unusable before reading fails: with more it is not the data set that was
// meant.
const maxBad = 0.01

// Set is one split of a data set. It is safe for concurrent use.
type Set struct {
	name    string
	src     *source
	prepare *prepare
	shape   tensor.Shape
	indices []int // into src.items

	closed sync.Once

	mu  sync.Mutex
	bad map[int]Bad // by position in indices
	out []Bad       // removed by Check
}

// Bad is a sample that cannot be used.
type Bad struct {
	Name string
	Err  error
}

// String returns name and error.
func (b Bad) String() string { return fmt.Sprintf("%s: %v", b.Name, b.Err) }

// newSet returns the set of a split of src.
func newSet(name string, src *source, o Options) (*Set, error) {
	s := &Set{name: name, src: src, prepare: newPrepare(o.Preprocessing), shape: o.Shape.Clone(), bad: map[int]Bad{}}
	var err error
	if s.indices, err = choose(src, o); err == nil {
		err = s.findShape()
	}
	return s, err
}

// findShape fills in unknown dimensions from the first sample that can be read.
func (s *Set) findShape() error {
	if s.src.shape != nil {
		s.shape = s.src.shape.Clone()
	}
	if s.shape != nil && s.shape.Numel() >= 0 {
		return nil
	}
	var first error
	for i := range min(len(s.indices), 100) {
		err := s.load(context.Background(), i, nil, func(shape tensor.Shape, _ sample) { s.shape = shape })
		if err == nil {
			return nil
		}
		if first == nil {
			first = fmt.Errorf("%s: %w", s.Name(i), err)
		}
	}
	return first
}

// Len is the number of samples.
func (s *Set) Len() int { return len(s.indices) }

// Classes returns the class names by label; nil if the data has none.
func (s *Set) Classes() []string { return slices.Clone(s.src.classes) }

// Labelled reports whether every sample has a label.
func (s *Set) Labelled() bool { return s.src.labelled() }

// Label is the class number of sample i, -1 if it has none.
func (s *Set) Label(i int) int32 { return s.src.items[s.indices[i]].label }

// Name is the file, or the place in a file, of sample i.
func (s *Set) Name(i int) string { return s.src.items[s.indices[i]].name }

// Shape is the shape of one sample as the model takes it.
func (s *Set) Shape() tensor.Shape { return s.shape.Clone() }

// Fingerprint identifies the whole data set that the split was taken from.
func (s *Set) Fingerprint() string { return s.src.fingerprint }

// Close closes the files behind the set, unless another split of them is open.
func (s *Set) Close() (err error) {
	s.closed.Do(func() { err = s.src.release() })
	return err
}

// Bad lists the samples that turned out unusable so far, in their order.
func (s *Set) Bad() []Bad {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := make([]int, 0, len(s.bad))
	for i := range s.bad {
		at = append(at, i)
	}
	slices.Sort(at)
	out := slices.Clone(s.out)
	for _, k := range at {
		out = append(out, s.bad[k])
	}
	return out
}

// Batch writes the samples at indices to dst [len(indices), ...] and their class numbers (-1: none) to labels, which
// may be nil.
//
// An unusable sample is replaced by the next usable one, with its label, and listed by Bad. It is an error if more than
// 1 % are unusable.
func (s *Set) Batch(ctx context.Context, indices []int, dst []float32, labels []int32) error {
	return s.AugmentedBatch(ctx, indices, dst, labels, Augmentation{}, 0, 0)
}

// AugmentedBatch is Batch with samples augmented as a function of (seed, epoch, index).
func (s *Set) AugmentedBatch(ctx context.Context, indices []int, dst []float32, labels []int32, a Augmentation, seed uint64, epoch int) error {
	size := s.shape.Numel()
	if len(dst) != size*len(indices) || labels != nil && len(labels) != len(indices) {
		return fmt.Errorf("read batch: %d values and %d labels for %d samples of %s", len(dst), len(labels), len(indices), s.shape)
	}
	for k, i := range indices {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i < 0 || i >= len(s.indices) {
			return fmt.Errorf("read batch: sample %d of %d", i, len(s.indices))
		}
		used, err := s.write(ctx, i, dst[k*size:(k+1)*size], a.change(seed, epoch, i))
		if err != nil {
			return fmt.Errorf("read data %s: %w", s.name, err)
		}
		if labels != nil {
			labels[k] = s.Label(used)
		}
	}
	return nil
}

// write prepares sample i, or the next usable one, and returns its index.
func (s *Set) write(ctx context.Context, i int, dst []float32, c *change) (int, error) {
	for step := range len(s.indices) {
		at := (i + step) % len(s.indices)
		err := s.load(ctx, at, c, func(_ tensor.Shape, sm sample) {
			if sm.bitmap != nil {
				s.prepare.write(sm.bitmap, dst)
			} else {
				copy(dst, sm.values)
			}
		})
		if err == nil {
			return at, nil
		}
		if ctx.Err() != nil { // that says nothing about the image
			return 0, ctx.Err()
		}
		if err := s.note(at, err); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("no sample can be used")
}

// load fetches sample i, prepared but not normalised, and passes it with the shape that it gives to use. use must not
// keep it, since all decoders share their memory.
func (s *Set) load(ctx context.Context, i int, c *change, use func(tensor.Shape, sample)) error {
	var held int64
	defer func() { s.src.memory.release(held) }()
	sm, err := s.src.fetch(ctx, s.indices[i], func(width, height int, decoding int64) error {
		n := decoding + s.prepare.bytes(width, height)
		if err := s.src.memory.acquire(ctx, n); err != nil {
			return err
		}
		held = n
		return nil
	})
	if err != nil {
		return err
	}
	shape, err := s.shapeOf(&sm, c)
	if err == nil {
		use(shape, sm)
	}
	return err
}

// shapeOf prepares a sample and checks its shape against the model's.
func (s *Set) shapeOf(sm *sample, c *change) (tensor.Shape, error) {
	if sm.bitmap == nil {
		return s.shape, nil
	}
	sm.bitmap = s.prepare.bitmap(sm.bitmap, c)
	shape := s.prepare.shape(sm.bitmap)
	if s.shape == nil {
		return shape, nil
	}
	return shape, checkShape(shape, s.shape)
}

// note records an unusable sample. It is an error if there are too many.
func (s *Set) note(i int, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad[i] = Bad{s.Name(i), err}
	if n, of := len(s.bad)+len(s.out), len(s.indices)+len(s.out); float64(n) > maxBad*float64(of) {
		// Reading ends here, and nothing is known of the rest.
		return fmt.Errorf("at least %d of %d samples cannot be used, among them %s", n, of, s.bad[i])
	}
	return nil
}
