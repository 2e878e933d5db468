package testkit

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// Growth fails a test if work grows much faster than its size: sixteen times as much may take up to a hundred times as
// long, between the 16 of linear and the 256 of quadratic work. prepare makes work of a size. The fastest of several
// runs counts, in time of the CPU and without garbage collection.
func Growth(t *testing.T, size int, prepare func(size int) func()) {
	t.Helper()
	const times, most = 16, 100
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	fastest := [2]time.Duration{}
	for range 6 {
		for i, n := range []int{size, times * size} {
			work := prepare(n)
			runtime.GC()
			start := cpuTime()
			work()
			if took := max(cpuTime()-start, time.Microsecond); fastest[i] == 0 || took < fastest[i] {
				fastest[i] = took
			}
		}
		if fastest[1] <= most*fastest[0] {
			return
		}
	}
	t.Errorf("%d steps take %v, %d take %v", size, fastest[0], times*size, fastest[1])
}
