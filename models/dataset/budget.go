package dataset

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/mpqc/mpqc/internal/memory"
)

// Bounds of what decoders may take together. budgetMost holds a colour picture of 100 megapixels; a machine of little memory
// gives a share of it, but enough for a picture of a telephone.
const (
	budgetMost  = 1 << 30
	budgetLeast = 64 << 20
	ofMachine   = 8 // the share of the machine's memory, one in so many
	ofLimit     = 4 // the share of what a run may take in all
)

// budget is the memory in bytes that all decoders of a data set take together, whatever their number: files, pixels at the
// depth that the file has, and what preparation makes of them. Who finds none left waits in line.
type budget struct {
	size int64

	mu      sync.Mutex
	held    int64
	thrown  int64 // given back since garbage was collected
	waiting []waiter
}

type waiter struct {
	n    int64
	turn chan struct{}
}

// newBudget is that of a run that may take so many bytes in all; 0: as many as the machine has.
func newBudget(limit int64) *budget {
	size := int64(budgetMost)
	if total := memory.Total(); total > 0 {
		size = min(size, total/ofMachine)
	}
	if limit > 0 {
		size = min(size, limit/ofLimit)
	}
	return &budget{size: max(size, budgetLeast)}
}

// acquire takes n bytes. What is beyond the whole budget is an error at once.
func (b *budget) acquire(ctx context.Context, n int64) error {
	if n > b.size {
		return fmt.Errorf("decoding it takes %d MB, all pictures together may take %d MB: make it smaller", n>>20, b.size>>20)
	}
	b.mu.Lock()
	if len(b.waiting) == 0 && b.held+n <= b.size {
		b.held += n
		b.mu.Unlock()
		return nil
	}
	w := waiter{n, make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
		b.leave(w)
		return ctx.Err()
	}
}

// leave takes a waiter out of the line, or gives back what it has just got.
func (b *budget) leave(w waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.IndexFunc(b.waiting, func(x waiter) bool { return x.turn == w.turn }); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	} else {
		b.held -= w.n
	}
	b.serve()
}

// release gives bytes back that nobody refers to any more. They are garbage until it is collected, so that is done as soon
// as there may be a budget of it.
func (b *budget) release(n int64) {
	b.mu.Lock()
	b.thrown += n
	collect := b.thrown >= b.size
	if collect {
		b.thrown = 0
	}
	b.mu.Unlock()
	if collect {
		runtime.GC()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= n
	b.serve()
}

// serve lets in whom there is room for, in the order of the line: a large picture waits until there is, not for ever.
func (b *budget) serve() {
	for len(b.waiting) > 0 && b.held+b.waiting[0].n <= b.size {
		b.held += b.waiting[0].n
		close(b.waiting[0].turn)
		b.waiting = b.waiting[1:]
	}
}
