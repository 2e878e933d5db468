package dataset

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mpqc/mpqc/internal/tensor"
)

// CheckOptions of Check and Usable.
type CheckOptions struct {
	Workers  int                   // goroutines that decode; 0: 2
	Progress func(done, total int) // called at intervals by the caller's goroutine; may be nil
}

// checkChunk is the number of samples decoded between two counts of errors. It does not depend on the number of
// workers, so errors do not either.
const checkChunk = 128

// Check decodes every sample once and removes the unusable ones from the set. The number of samples is then final. It
// must not run at the same time as Batch. It is an error if more than 1 % are unusable.
func (s *Set) Check(ctx context.Context, o CheckOptions) error {
	all := make([]int, s.Len())
	for i := range all {
		all[i] = i
	}
	usable, err := s.Usable(ctx, all, o)
	if err != nil {
		return err
	}
	out := s.Bad()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, i := range usable {
		all[k] = s.indices[i]
	}
	s.indices, s.out, s.bad = all[:len(usable)], out, map[int]Bad{}
	return nil
}

// Usable decodes the samples at indices once and returns the indices of the usable ones, in their order. The others are
// listed by Bad. It is an error if more than one, and more than 1 % of the set or of the given samples, are unusable.
func (s *Set) Usable(ctx context.Context, indices []int, o CheckOptions) ([]int, error) {
	var good []int
	bad := 0
	for done := 0; done < len(indices); {
		chunk := indices[done:min(done+checkChunk, len(indices))]
		errs := s.check(ctx, chunk, o.Workers)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for k, i := range chunk {
			if errs[k] == nil {
				good = append(good, i)
				continue
			}
			if err := s.note(i, errs[k]); err != nil {
				return nil, fmt.Errorf("read data %s: %w", s.name, err)
			}
			if bad++; float64(bad) > max(maxBad*float64(len(indices)), 1) {
				return nil, fmt.Errorf("read data %s: %d of the first %d samples that were drawn cannot be used, among them %s",
					s.name, bad, done+k+1, Bad{s.Name(i), errs[k]})
			}
		}
		done += len(chunk)
		if o.Progress != nil {
			o.Progress(done, len(indices))
		}
	}
	return good, nil
}

// check decodes samples in parallel and returns the error of each. The context ends it early.
func (s *Set) check(ctx context.Context, indices []int, workers int) []error {
	if workers < 1 {
		workers = 2
	}
	errs := make([]error, len(indices))
	var next atomic.Int64
	var exited sync.WaitGroup
	for range min(workers, len(indices)) {
		exited.Go(func() {
			for ctx.Err() == nil {
				k := int(next.Add(1)) - 1
				if k >= len(indices) {
					return
				}
				errs[k] = s.load(ctx, indices[k], nil, func(tensor.Shape, sample) {})
			}
		})
	}
	exited.Wait()
	return errs
}
