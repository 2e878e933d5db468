package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models/dataset"
)

// pictures are the splits of the data of a run. Everything but the final numbers and the judgement of a search comes from train.
type pictures struct {
	train, test *dataset.Set
	judge       *dataset.Set // seen by neither training nor search; empty where the data is too small for that
	fingerprint string       // of the files
	stamp       string       // of everything that decides which numbers come out of them, and in which split
	checked     bool         // broken test pictures are out
	elements    int          // per picture, as the model takes it
	shape       tensor.Shape // of one picture
	labels      bool
}

// batchOf is one batch on its way through a loop: n pictures of x, their labels, and how many are done with it.
type batchOf struct {
	x      []float32
	labels []int32
	n      int
	first  int // position of its first picture among the indices
	done   int
}

// each decodes the pictures of a set in the order of indices, ahead of their use, and calls f batch by batch. The
// batch is valid until f returns.
func (p *pictures) each(ctx context.Context, set *dataset.Set, indices []int, batch int, f func(batchOf) error) error {
	l := set.NewLoader(ctx, dataset.LoaderOptions{Batch: batch, Indices: indices})
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
		if err := f(batchOf{b.X, b.Labels, n, done, done + n}); err != nil {
			return err
		}
		done += n
	}
}

// some draws n training pictures for a purpose: a function of seed and purpose, ascending so that archives are read
// in order.
func (p *pictures) some(n int, purpose string, seed uint64) []int {
	return draw(p.train.Len(), n, purpose, seed)
}

// judges are the pictures of verdicts: those kept apart or, where the data is too small for that, training pictures beside those
// that a search draws with its seed.
func (p *pictures) judges(searched int, seed, search uint64) (*dataset.Set, []int) {
	if n := p.judge.Len(); n > 0 {
		return p.judge, draw(n, judgePictures, "judge", seed)
	}
	return p.train, unsearched(p.train.Len(), searched, search)
}

// unsearched draws the pictures of verdicts from those that a search of so many pictures does not draw; where it draws all, they
// are the same.
func unsearched(from, searched int, seed uint64) []int {
	list := permuted(from, from, "search", seed)
	if from > searched {
		list = list[searched:]
	}
	list = list[:min(judgePictures, len(list))]
	slices.Sort(list)
	return list
}

// mixed draws as some does, in random order: archives are sorted by class, and the statistics of a batch of one class
// are not those of the data.
func (p *pictures) mixed(n int, purpose string, seed uint64) []int {
	return permuted(p.train.Len(), n, purpose, seed)
}

func draw(from, n int, purpose string, seed uint64) []int {
	out := permuted(from, n, purpose, seed)
	slices.Sort(out)
	return out
}

func permuted(from, n int, purpose string, seed uint64) []int {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(seed, h.Sum64())).Perm(from)[:min(n, from)]
}

// all is 0, 1, ... n-1.
func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// batchShape is the shape of n pictures.
func (p *pictures) batchShape(n int) tensor.Shape {
	return append(tensor.Shape{n}, p.shape...)
}
