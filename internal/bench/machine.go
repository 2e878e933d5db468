package bench

import (
	"time"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/memory"
	"github.com/mpqc/mpqc/internal/par"
)

// Machine is what the cores of a pool can do at most.
type Machine struct {
	GFLOPS float64 // fused multiply-adds on registers, counted as 2
	GBS    float64 // copying memory much larger than the caches, bytes read plus bytes written
}

// peakTime is the time spent on a peak. The best run counts, since everything else on the machine only slows it down.
const peakTime = 150 * time.Millisecond

// MeasureMachine measures the peaks of a pool in less than a second.
func MeasureMachine(pool *par.Pool) Machine {
	return Machine{peakGFLOPS(pool), copyGBS(pool)}
}

// peakGFLOPS runs loops of about a quarter of a millisecond on all cores. On a busy machine some of them find all cores
// free.
func peakGFLOPS(pool *par.Pool) float64 {
	threads := pool.Threads()
	flops := make([]int64, threads)
	rounds := 100
	run := func() time.Duration {
		return timed(func() { pool.Run(threads, func(i int) { flops[i] = kernel.FMA(rounds) }) })
	}
	for run() < 250*time.Microsecond {
		rounds *= 2
	}
	best := run()
	for start := time.Now(); time.Since(start) < peakTime; {
		best = min(best, run())
	}
	var sum int64
	for _, f := range flops {
		sum += f
	}
	return float64(sum) / float64(best.Nanoseconds())
}

// best combines two measurements of the same pool.
func (m Machine) best(o Machine) Machine {
	return Machine{max(m.GFLOPS, o.GFLOPS), max(m.GBS, o.GBS)}
}

// copyFloats is the length of a copy: 64 MB to read and 64 MB to write, more than any cache holds.
const copyFloats = 16 << 20

// copyGBS copies from pages that were written before. The system maps all others to one page of zeros, which stays in
// the cache.
func copyGBS(pool *par.Pool) float64 {
	x, y := noise(copyFloats), make([]float32, copyFloats)
	defer memory.ForgetPeak() // measuring the machine is no part of what is measured afterwards
	const piece = 1 << 14
	best := time.Hour
	for run := range 8 {
		took := timed(func() {
			pool.Run(copyFloats/piece, func(i int) {
				if lo, hi := i*piece, (i+1)*piece; run%2 == 0 {
					copy(y[lo:hi], x[lo:hi])
				} else { // vectors beat the copy of the runtime on some machines
					kernel.Scale(1, x[lo:hi], y[lo:hi])
				}
			})
		})
		if run > 1 { // the first ones touch the pages
			best = min(best, took)
		}
	}
	return 8 * copyFloats / float64(best.Nanoseconds())
}

// timed returns how long f takes.
func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
