package engine

import "unsafe"

// Block is the number of elements that element-wise operators hand to a worker at a time. It is fixed, so that
// reductions over blocks have one order at any number of workers; 16 Ki floats are half of a usual L2 way.
const Block = 1 << 14

// Blocks is the number of blocks that n elements make.
func Blocks(n int) int { return (n + Block - 1) / Block }

// Span returns the range [lo, hi) of block i of n elements.
func Span(i, n int) (lo, hi int) { return i * Block, min(i*Block+Block, n) }

// Parallel calls f(t, i) for i in [0, n) on the task's pool. f should not capture variables but read what it needs from
// t: a closure that captures would be allocated at each step.
func (t *Task) Parallel(n int, f func(t *Task, i int)) {
	if n == 1 || t.Pool == nil {
		for i := range n {
			f(t, i)
		}
		return
	}
	if t.run == nil {
		t.run = func(i int) { t.job(t, i) }
	}
	t.job = f
	t.Pool.Run(n, t.run)
}

// ParallelWorker is Parallel for functions that need working memory. worker is below the pool's number of threads, and
// differs between calls that run at the same time.
func (t *Task) ParallelWorker(n int, f func(t *Task, worker, i int)) {
	if n == 1 || t.Pool == nil {
		for i := range n {
			f(t, 0, i)
		}
		return
	}
	if t.runWorker == nil {
		t.runWorker = func(worker, i int) { t.jobWorker(t, worker, i) }
	}
	t.jobWorker = f
	t.Pool.RunWorker(n, t.runWorker)
}

// SavedFloats views Saved as float32.
func (t *Task) SavedFloats() []float32 {
	if len(t.Saved) < 4 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&t.Saved[0])), len(t.Saved)/4)
}

// SavedInts views Saved as int32.
func (t *Task) SavedInts() []int32 {
	if len(t.Saved) < 4 {
		return nil
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&t.Saved[0])), len(t.Saved)/4)
}
