package dataset

import (
	"context"
	"io"
	"sync"
)

// LoaderOptions says what a Loader delivers.
type LoaderOptions struct {
	Batch    int   // pictures per batch
	Indices  []int // which pictures, in which order; see Shuffle
	DropLast bool  // leave out a last batch that is not full
	Augment  Augmentation
	Seed     uint64
	Epoch    int
	Workers  int // goroutines that decode; 0: 2
}

// Loader decodes batches ahead of their use on goroutines of its own. Batches come in order, whatever the number of
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

// Minibatch is what Next returns: len(Indices) samples.
type Minibatch struct {
	X       []float32
	Labels  []int32 // -1: none
	Indices []int
}

type loaded struct {
	batch *Minibatch
	err   error
}

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

// Next returns the next batch, valid until the following call, or io.EOF after the last.
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

// feed hands out batches in order: each has a place in the queue before a worker gets it.
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
