package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mpqc/mpqc/internal/tensor"
)

// maxBad is the share of pictures that may be unreadable before reading fails: more is no longer the data set that
// was meant.
const maxBad = 0.01

// Set is one split of a data set. Its methods may be called by several goroutines at once.
type Set struct {
	name    string
	src     *source
	prepare *prepare
	shape   tensor.Shape
	indices []int // into src.items

	closed sync.Once

	mu  sync.Mutex
	bad map[int]Bad // by position in indices
	out []Bad       // taken out by Check
}

// Bad is a picture that could not be used.
type Bad struct {
	Name string
	Err  error
}

func (b Bad) String() string { return fmt.Sprintf("%s: %v", b.Name, b.Err) }

func newSet(name string, src *source, o Options) (*Set, error) {
	s := &Set{name: name, src: src, prepare: newPrepare(o.Preprocessing), shape: o.Shape.Clone(), bad: map[int]Bad{}}
	var err error
	if s.indices, err = choose(src, o); err == nil {
		err = s.findShape()
	}
	return s, err
}

// findShape fills in unknown dimensions from the first picture that can be read.
func (s *Set) findShape() error {
	if s.src.shape != nil {
		s.shape = s.src.shape.Clone()
	}
	if s.shape != nil && s.shape.Numel() >= 0 {
		return nil
	}
	var first error
	for i := range min(len(s.indices), 100) {
		shape, _, err := s.load(i, nil)
		if err == nil {
			s.shape = shape
			return nil
		}
		if first == nil {
			first = fmt.Errorf("%s: %w", s.Name(i), err)
		}
	}
	return first
}

// Len is the number of pictures.
func (s *Set) Len() int { return len(s.indices) }

// Classes are the class names by label; nil where the data has no names.
func (s *Set) Classes() []string { return slices.Clone(s.src.classes) }

// Labelled reports whether every picture has a label.
func (s *Set) Labelled() bool { return s.src.labelled() }

// Label is the class number of picture i, -1 without one.
func (s *Set) Label(i int) int32 { return s.src.items[s.indices[i]].label }

// Name is the file, or the place in a file, of picture i.
func (s *Set) Name(i int) string { return s.src.items[s.indices[i]].name }

// Shape is that of one sample, as the model takes it.
func (s *Set) Shape() tensor.Shape { return s.shape.Clone() }

// Fingerprint identifies the whole data set that the split was taken from.
func (s *Set) Fingerprint() string { return s.src.fingerprint }

// Close closes the files behind the set, if no other split of them is open.
func (s *Set) Close() (err error) {
	s.closed.Do(func() { err = s.src.release() })
	return err
}

// Bad lists the pictures that turned out unusable so far, in their order.
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

// Batch writes the given pictures into dst (len(indices) times the size of a sample) and labels (-1: none; may be nil).
// A picture that cannot be used is replaced by the next one that can, with its label, and counted: see Bad and Usable.
// Once more than 1 % are unusable, that is an error.
func (s *Set) Batch(ctx context.Context, indices []int, dst []float32, labels []int32) error {
	return s.AugmentedBatch(ctx, indices, dst, labels, Augmentation{}, 0, 0)
}

// AugmentedBatch is Batch with pictures augmented as (seed, epoch, index) says.
func (s *Set) AugmentedBatch(ctx context.Context, indices []int, dst []float32, labels []int32, a Augmentation, seed uint64, epoch int) error {
	size := s.shape.Numel()
	if len(dst) != size*len(indices) || labels != nil && len(labels) != len(indices) {
		return fmt.Errorf("read batch: %d values and %d labels for %d pictures of %s", len(dst), len(labels), len(indices), s.shape)
	}
	for k, i := range indices {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i < 0 || i >= len(s.indices) {
			return fmt.Errorf("read batch: picture %d of %d", i, len(s.indices))
		}
		used, err := s.write(i, dst[k*size:(k+1)*size], a.change(seed, epoch, i))
		if err != nil {
			return fmt.Errorf("read data %s: %w", s.name, err)
		}
		if labels != nil {
			labels[k] = s.Label(used)
		}
	}
	return nil
}

// write prepares picture i or the next usable one and says which it was.
func (s *Set) write(i int, dst []float32, c *change) (int, error) {
	for step := range len(s.indices) {
		at := (i + step) % len(s.indices)
		_, sm, err := s.load(at, c)
		if err == nil {
			if sm.picture != nil {
				s.prepare.write(sm.picture, dst)
			} else {
				copy(dst, sm.values)
			}
			return at, nil
		}
		if err := s.note(at, err); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("no picture can be used")
}

// load fetches picture i, prepared but not normalised, and the shape it gives.
func (s *Set) load(i int, c *change) (tensor.Shape, sample, error) {
	sm, err := s.src.fetch(s.indices[i])
	if err != nil {
		return nil, sample{}, err
	}
	if sm.picture == nil {
		return s.shape, sm, nil
	}
	sm.picture = s.prepare.picture(sm.picture, c)
	shape := s.prepare.shape(sm.picture)
	if s.shape == nil {
		return shape, sm, nil
	}
	return shape, sm, checkShape(shape, s.shape)
}

// note counts an unusable picture; the error comes when there are too many.
func (s *Set) note(i int, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad[i] = Bad{s.Name(i), err}
	if n, of := len(s.bad)+len(s.out), len(s.indices)+len(s.out); float64(n) > maxBad*float64(of) {
		// Reading ends here, and nothing is known of the rest.
		return fmt.Errorf("at least %d of %d pictures cannot be used, among them %s", n, of, s.bad[i])
	}
	return nil
}
