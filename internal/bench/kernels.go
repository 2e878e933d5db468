package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/par"
)

// KernelResult is one row of `bench kernels --json`.
type KernelResult struct {
	Kernel  string `json:"kernel"`
	Shape   string `json:"shape"`
	ISA     string `json:"isa"`
	Threads int    `json:"threads"`
	// Rate is in GFLOP/s for kernels bound by arithmetic, else in GB/s. Bytes are those that must be read and written,
	// twice if sums over a tensor come before its use.
	Rate        float64 `json:"gflops_or_gbs"`
	ShareOfPeak float64 `json:"share_of_peak"` // of the fused multiply-adds, or of the copy bandwidth

	Unit string `json:"-"` // of Rate
}

// probe is a kernel with its operands.
type probe struct {
	name, shape string
	flops       int64 // per call; 0 for kernels bound by memory
	bytes       int64 // per call
	run         func()
}

// kernelRuns is the number of times that a kernel is timed. The best counts, as for the peaks it is compared with.
const kernelRuns = 7

// KernelTable holds the kernels at one number of threads, with the peaks at the same number.
type KernelTable struct {
	Machine Machine
	Threads int
	Rows    []KernelResult
}

// Kernels times each kernel on one core and on threads cores (0: all), relative to the peaks of as many cores.
func Kernels(ctx context.Context, threads int) ([]KernelTable, error) {
	var list []KernelTable
	counts := []int{1}
	all := par.New(threads)
	n := all.Threads()
	all.Close()
	if n > 1 {
		counts = append(counts, n)
	}
	for _, n := range counts {
		pool := par.New(n)
		table := KernelTable{Machine: MeasureMachine(pool), Threads: n}
		for _, p := range probes(pool) {
			if err := ctx.Err(); err != nil {
				pool.Close()
				return nil, fmt.Errorf("bench kernels: %w", err)
			}
			table.Rows = append(table.Rows, p.measure(n, table.Machine))
		}
		pool.Close()
		list = append(list, table)
	}
	return list, nil
}

// measure times batches of calls that take at least about a millisecond.
func (p probe) measure(threads int, m Machine) KernelResult {
	p.run()
	calls := 1
	batch := func() time.Duration {
		return timed(func() {
			for range calls {
				p.run()
			}
		})
	}
	for batch() < time.Millisecond {
		calls *= 2
	}
	best := batch()
	for range kernelRuns - 1 {
		best = min(best, batch())
	}
	ns := float64(best.Nanoseconds()) / float64(calls)
	r := KernelResult{Kernel: p.name, Shape: p.shape, ISA: kernel.Active().String(), Threads: threads}
	if p.flops > 0 {
		r.Rate, r.Unit = float64(p.flops)/ns, "GFLOP/s"
		r.ShareOfPeak = r.Rate / m.GFLOPS
	} else {
		r.Rate, r.Unit = float64(p.bytes)/ns, "GB/s"
		r.ShareOfPeak = r.Rate / m.GBS
	}
	return r
}
