package par

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRunCallsEachOnce(t *testing.T) {
	for _, threads := range []int{0, 1, 2, 3, 8} {
		t.Run(fmt.Sprint(threads), func(t *testing.T) {
			p := New(threads)
			defer p.Close()
			for n := range 70 {
				calls := make([]int, n) // plain ints: the race detector sees two calls of one index
				p.Run(n, func(i int) { calls[i]++ })
				p.RunWorker(n, func(_, i int) { calls[i]++ })
				for i, c := range calls {
					if c != 2 {
						t.Fatalf("n=%d: f(%d) ran %d times, want 2", n, i, c)
					}
				}
			}
		})
	}
}

func TestNilPool(t *testing.T) {
	var p *Pool
	sum := 0
	p.Run(5, func(i int) { sum += i })
	p.RunWorker(5, func(w, i int) { sum += i + w })
	p.Close()
	if sum != 20 || p.Threads() != 1 {
		t.Errorf("sum %d, threads %d, want 20, 1", sum, p.Threads())
	}
}

func TestThreads(t *testing.T) {
	p := New(0)
	defer p.Close()
	if p.Threads() != runtime.GOMAXPROCS(0) {
		t.Errorf("New(0) has %d threads, want GOMAXPROCS = %d", p.Threads(), runtime.GOMAXPROCS(0))
	}
}

// TestWorkersApart: no two calls that run at the same time have the same worker number.
func TestWorkersApart(t *testing.T) {
	p := New(4)
	defer p.Close()
	scratch := make([]int, p.Threads()) // unguarded on purpose
	for range 200 {
		p.RunWorker(20, func(w, _ int) {
			scratch[w]++
			runtime.Gosched()
			scratch[w]++
		})
	}
	total := 0
	for _, s := range scratch {
		total += s
	}
	if total != 200*20*2 {
		t.Errorf("counted %d, want %d", total, 200*20*2)
	}
}

func TestNestedRunsSerially(t *testing.T) {
	p := New(3)
	defer p.Close()
	var total atomic.Int64
	p.Run(10, func(int) {
		sum := 0
		p.Run(10, func(i int) { sum += i })
		p.RunWorker(10, func(w, i int) { sum += i + w })
		total.Add(int64(sum))
	})
	if total.Load() != 900 {
		t.Errorf("total %d, want 900", total.Load())
	}
}

func TestConcurrentRuns(t *testing.T) {
	p := New(3)
	defer p.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				var n atomic.Int64
				p.Run(17, func(int) { n.Add(1) })
				if n.Load() != 17 {
					t.Errorf("ran %d tasks, want 17", n.Load())
				}
			}
		})
	}
	wg.Wait()
}

func TestParkAndWake(t *testing.T) {
	p := New(3)
	defer p.Close()
	for _, pause := range []time.Duration{0, spinTime - time.Millisecond/4, spinTime, 3 * spinTime, 0} {
		time.Sleep(pause)
		var ids sync.Map
		var n atomic.Int64
		p.RunWorker(50, func(w, _ int) {
			ids.Store(w, true)
			n.Add(1)
			time.Sleep(100 * time.Microsecond)
		})
		if n.Load() != 50 {
			t.Fatalf("after %v: ran %d tasks, want 50", pause, n.Load())
		}
		if _, ok := ids.Load(1); !ok && pause > spinTime {
			t.Errorf("after %v: worker 1 was not woken", pause)
		}
	}
}

func TestPanicLeavesPoolUsable(t *testing.T) {
	p := New(2)
	defer p.Close()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("panic was lost")
			}
		}()
		// Only the calling goroutine may panic here; a worker's panic ends the process, as any goroutine's does.
		p.RunWorker(1000, func(w, _ int) {
			if w == 0 {
				panic("task")
			}
			time.Sleep(time.Millisecond)
		})
	}()
	var n atomic.Int64
	p.Run(10, func(int) { n.Add(1) })
	if n.Load() != 10 {
		t.Errorf("ran %d tasks after a panic, want 10", n.Load())
	}
}

func TestClose(t *testing.T) {
	for _, wait := range []time.Duration{0, 3 * spinTime} {
		p := New(4)
		time.Sleep(wait)
		p.Close()
		p.Close()
		n := 0
		p.Run(5, func(int) { n++ })
		if n != 5 {
			t.Errorf("ran %d tasks after Close, want 5", n)
		}
	}
}

func TestRunAllocatesNothing(t *testing.T) {
	p := New(2)
	defer p.Close()
	f := func(int) {}
	g := func(int, int) {}
	if got := testing.AllocsPerRun(100, func() { p.Run(8, f); p.RunWorker(8, g) }); got != 0 {
		t.Errorf("a Run allocates %v times, want 0", got)
	}
}

// BenchmarkForkJoin shares out two pieces of work of 20 us each; without overhead an operation takes 20 us on two
// cores.
func BenchmarkForkJoin(b *testing.B) {
	p := New(2)
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		p.Run(2, func(int) {
			for start := time.Now(); time.Since(start) < 20*time.Microsecond; {
			}
		})
	}
}
