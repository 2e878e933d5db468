// Package par runs fixed partitions of work on a pool of workers that spin before they park. In a virtual machine,
// waking a goroutine on a second core costs more than a small convolution.
//
// Results do not depend on the number of workers. Callers choose partitions and reduction order; the pool only chooses
// which worker runs what.
package par

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// spinTime is how long an idle worker looks for work before it parks. It is longer than the serial parts between
	// kernels of a training step, but short enough to free the core for others soon.
	spinTime = 2 * time.Millisecond
	// spinLoads is the number of looks between two yields. If all cores had spinning workers that never yield, the data
	// loader could not run.
	spinLoads = 256
)

// Pool is a set of workers. A nil Pool runs everything on the calling goroutine.
type Pool struct {
	threads int
	workers []worker
	busy    atomic.Bool // a Run is in progress; others, nested ones included, run serially
	closed  atomic.Bool
	exited  sync.WaitGroup

	// The job in progress. Run writes job, tasks and both functions only while open is 0 and nobody is inside.
	job      uint64
	tasks    int64
	plain    func(i int)
	numbered func(worker, i int)
	_        [64]byte      // the words below are written by all; keep them off the lines that are only read
	open     atomic.Uint64 // number of the job that may be entered, 0 for none
	_        [56]byte
	next     atomic.Int64 // first task that nobody has taken
	_        [56]byte
	inside   atomic.Int64 // workers that may be running tasks
}

// worker is the parking place of one goroutine.
type worker struct {
	parked atomic.Bool
	wake   chan struct{}
	_      [48]byte
}

// New starts a pool of n workers in total, the calling goroutine included; n < 1 means GOMAXPROCS.
func New(n int) *Pool {
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: n, workers: make([]worker, n-1)}
	for i := range p.workers {
		p.workers[i].wake = make(chan struct{}, 1)
		p.exited.Add(1)
		go p.loop(i + 1)
	}
	return p
}

// Threads is the number of workers, including the caller; 1 for a nil Pool.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// Run calls f(i) for every i in [0, n) and returns when all calls have. Calls may run concurrently and in any order, so
// each must write to memory of its own. A Run inside f, or at the same time as another, runs serially.
func (p *Pool) Run(n int, f func(i int)) {
	if !p.claim(n) {
		for i := range n {
			f(i)
		}
		return
	}
	defer p.finish()
	p.plain = f
	p.start(n)
	for i := p.next.Add(1) - 1; i < p.tasks; i = p.next.Add(1) - 1 {
		f(int(i))
	}
}

// RunWorker is Run for tasks that need working memory. worker is in [0, Threads) and differs between calls that run at
// the same time. The assignment of tasks to workers is not deterministic, so results must not depend on it.
func (p *Pool) RunWorker(n int, f func(worker, i int)) {
	if !p.claim(n) {
		for i := range n {
			f(0, i)
		}
		return
	}
	defer p.finish()
	p.numbered = f
	p.start(n)
	for i := p.next.Add(1) - 1; i < p.tasks; i = p.next.Add(1) - 1 {
		f(0, int(i))
	}
}

// Close stops the workers and waits for them. Later calls of Run are serial.
func (p *Pool) Close() {
	if p == nil || p.closed.Swap(true) {
		return
	}
	p.wakeAll()
	p.exited.Wait()
}

// claim reports whether n tasks are to be shared out, and reserves the pool if so.
func (p *Pool) claim(n int) bool {
	return p != nil && n > 1 && p.threads > 1 && !p.closed.Load() && p.busy.CompareAndSwap(false, true)
}

// start opens the job to the workers.
func (p *Pool) start(n int) {
	p.tasks = int64(n)
	p.next.Store(0)
	p.job++
	p.open.Store(p.job)
	p.wakeAll()
}

// finish closes the job and waits for the workers inside. It is deferred, so that a panic in a task of the calling
// goroutine leaves no worker running.
func (p *Pool) finish() {
	p.open.Store(0)
	p.next.Store(p.tasks) // after a panic, workers drop what is left
	for i := 1; p.inside.Load() != 0; i++ {
		if i%spinLoads == 0 {
			runtime.Gosched()
		}
	}
	p.plain, p.numbered = nil, nil
	p.busy.Store(false)
}

// wakeAll wakes all parked workers.
func (p *Pool) wakeAll() {
	for i := range p.workers {
		if w := &p.workers[i]; w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
}

// loop is the body of worker id.
func (p *Pool) loop(id int) {
	defer p.exited.Done()
	var last uint64
	for {
		job := p.await(id, last)
		if job == 0 {
			return
		}
		// Enter first, then look again: finish closes first, then waits for those inside. One of the two sees the
		// other.
		p.inside.Add(1)
		if job = p.open.Load(); job != 0 && job != last {
			p.work(id)
			last = job
		}
		p.inside.Add(-1)
	}
}

// work runs tasks of the open job until none is left.
func (p *Pool) work(id int) {
	n, plain, numbered := p.tasks, p.plain, p.numbered
	for i := p.next.Add(1) - 1; i < n; i = p.next.Add(1) - 1 {
		if plain != nil {
			plain(int(i))
		} else {
			numbered(id, int(i))
		}
	}
}

// await returns the number of an open job other than last, or 0 when the pool closes. It spins, then parks.
func (p *Pool) await(id int, last uint64) uint64 {
	w := &p.workers[id-1]
	for {
		deadline := time.Now().Add(spinTime)
		for i := 1; ; i++ {
			if job := p.open.Load(); job != 0 && job != last {
				return job
			}
			if i%spinLoads != 0 {
				continue
			}
			if p.closed.Load() {
				return 0
			}
			runtime.Gosched()
			if time.Now().After(deadline) {
				break
			}
		}
		w.parked.Store(true)
		// A job opened, or Close called, before parked was set has not seen it.
		if job := p.open.Load(); (job != 0 && job != last || p.closed.Load()) && w.parked.CompareAndSwap(true, false) {
			continue
		}
		<-w.wake
	}
}
