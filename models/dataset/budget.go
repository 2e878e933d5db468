package dataset

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/mpqc/mpqc/internal/memory"
)

// Bounds of the memory that all decoders take together, in bytes. budgetMost holds a colour image of 100 megapixels.
// Machines with little memory give a share of it, but at least enough for the image of a phone.
const (
	budgetMost  = 1 << 30
	budgetLeast = 64 << 20
	ofMachine   = 8 // the share of the machine's memory, one in so many
	ofLimit     = 4 // the share of what a run may take in all
)

// budget is the memory in bytes that all decoders of a data set share: files, decoded pixels, and what preparation
// makes of them. Decoders wait in line if none is left.
type budget struct {
	size int64

	mu      sync.Mutex
	held    int64
	thrown  int64 // returned since the last garbage collection
	waiting []waiter
}

// waiter is a decoder in line for n bytes.
type waiter struct {
	n    int64
	turn chan struct{}
}

// newBudget returns the budget of a run that may take limit bytes in all; 0 means the memory of the machine.
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

// acquire takes n bytes, and waits for them if needed. More than the whole budget is an error.
func (b *budget) acquire(ctx context.Context, n int64) error {
	if n > b.size {
		return fmt.Errorf("decoding it takes %d MB, all images together may take %d MB: make it smaller", n>>20, b.size>>20)
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

// leave removes a waiter from the line, or returns what it was just given.
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

// release returns n bytes. They remain garbage until it is collected, which is forced once a whole budget may be
// garbage.
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

// serve gives bytes to waiters in the order of the line, so that a large request does not wait for ever.
func (b *budget) serve() {
	for len(b.waiting) > 0 && b.held+b.waiting[0].n <= b.size {
		b.held += b.waiting[0].n
		close(b.waiting[0].turn)
		b.waiting = b.waiting[1:]
	}
}
