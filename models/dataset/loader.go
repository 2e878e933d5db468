package dataset

import (
	"context"
	"io"
	"sync"
)

// LoaderOptions of NewLoader.
type LoaderOptions struct {
	Batch    int   // samples per batch
	Indices  []int // samples in this order; see Shuffle
	DropLast bool  // leave out a last batch that is not full
	Augment  Augmentation
	Seed     uint64
	Epoch    int
	Workers  int // goroutines that decode; 0: 2
}

// Loader decodes batches in advance on goroutines of its own. The order of batches does not depend on the number of
// workers.
type Loader struct {
	set    *Set
	o      LoaderOptions
	ctx    context.Context //nolint:containedctx // ends the workers; Next takes no other one
	cancel context.CancelFunc
	queue  chan chan loaded
	spare  chan *Minibatch
	last   *Minibatch
	exited sync.WaitGroup
}

// Minibatch is a batch of n = len(Indices) samples.
type Minibatch struct {
	X       []float32 // [n, ...] as the model's input
	Labels  []int32   // class numbers; -1: none
	Indices []int
}

// loaded is the result of a task.
type loaded struct {
	batch *Minibatch
	err   error
}

// task is the work on one batch.
type task struct {
	indices []int
	to      chan loaded
}

// NewLoader starts the workers. They end with the context, with Close, or after the last batch.
func (s *Set) NewLoader(ctx context.Context, o LoaderOptions) *Loader {
	workers := max(o.Workers, 1)
	if o.Workers == 0 {
		workers = 2
	}
	depth := 2 * workers
	l := &Loader{set: s, o: o, queue: make(chan chan loaded, depth), spare: make(chan *Minibatch, depth+workers+2)}
	l.ctx, l.cancel = context.WithCancel(ctx)
	tasks := make(chan task)
	for range workers {
		l.exited.Add(1)
		go l.work(tasks)
	}
	l.exited.Add(1)
	go l.feed(tasks)
	return l
}

// Next returns the next batch, or io.EOF after the last. The batch is valid until the next call.
func (l *Loader) Next() (*Minibatch, error) {
	if l.last != nil {
		l.spare <- l.last
		l.last = nil
	}
	select {
	case to, ok := <-l.queue:
		if !ok {
			if err := l.ctx.Err(); err != nil {
				return nil, err
			}
			return nil, io.EOF
		}
		select {
		case r := <-to:
			l.last = r.batch
			return r.batch, r.err
		case <-l.ctx.Done():
			return nil, l.ctx.Err()
		}
	case <-l.ctx.Done():
		return nil, l.ctx.Err()
	}
}

// Close stops the workers and waits for them.
func (l *Loader) Close() {
	l.cancel()
	l.exited.Wait()
}

// feed distributes batches in order. Each has a place in the queue before a worker gets it.
func (l *Loader) feed(tasks chan<- task) {
	defer l.exited.Done()
	defer close(l.queue)
	defer close(tasks)
	size := max(l.o.Batch, 1)
	for rest := l.o.Indices; len(rest) > 0; {
		n := min(size, len(rest))
		if n < size && l.o.DropLast {
			return
		}
		t := task{rest[:n], make(chan loaded, 1)}
		rest = rest[n:]
		select {
		case l.queue <- t.to:
		case <-l.ctx.Done():
			return
		}
		select {
		case tasks <- t:
		case <-l.ctx.Done():
			return
		}
	}
}

// work runs tasks until there are none.
func (l *Loader) work(tasks <-chan task) {
	defer l.exited.Done()
	size := l.set.shape.Numel()
	for t := range tasks {
		var b *Minibatch
		select {
		case b = <-l.spare:
		default:
			b = &Minibatch{X: make([]float32, size*max(l.o.Batch, 1)), Labels: make([]int32, max(l.o.Batch, 1))}
		}
		n := len(t.indices)
		b.X, b.Labels, b.Indices = b.X[:size*n], b.Labels[:n], t.indices
		err := l.set.AugmentedBatch(l.ctx, t.indices, b.X, b.Labels, l.o.Augment, l.o.Seed, l.o.Epoch)
		if err != nil {
			b = nil
		}
		t.to <- loaded{b, err}
	}
}
