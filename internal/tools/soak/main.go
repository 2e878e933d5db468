// Command soak trains the embedded example over and over in one process and fails if memory or goroutines grow.
//
//	go run ./internal/tools/soak -for 15m
//
// Each round is a whole job, from the import to the verified file. Memory and goroutines are sampled between rounds,
// where nothing is under way, so that a slope is something that was left behind. The first third of the time is left
// out: caches and the arenas of the allocator fill then.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/options"
)

func main() {
	length := flag.Duration("for", 15*time.Minute, "how long to train")
	bound := flag.Float64("bound", 2, "largest growth of the resident memory in MB a minute; 1 MB is 1e6 bytes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := soak(ctx, os.Stdout, *length, *bound)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

// sample is what one round left behind.
type sample struct {
	minutes    float64
	rss, heap  float64 // MB
	goroutines float64
}

func soak(ctx context.Context, out io.Writer, length time.Duration, bound float64) error {
	dir, err := os.MkdirTemp("", "mpqc-soak-")
	if err != nil {
		return fmt.Errorf("make a folder for the workspaces: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var samples []sample
	for start := time.Now(); time.Since(start) < length; {
		if err := round(ctx, dir); err != nil {
			return err
		}
		s, err := take(start)
		if err != nil {
			return err
		}
		samples = append(samples, s)
		fmt.Fprintf(out, "round %3d  %5.1f min  %7.1f MB resident  %6.1f MB heap  %3.0f goroutines\n",
			len(samples), s.minutes, s.rss, s.heap, s.goroutines)
	}
	return judge(out, samples, bound)
}

// round is one job in a workspace of its own.
func round(ctx context.Context, dir string) error {
	w := filepath.Join(dir, "example.mpqc")
	epochs, samples := 1.0, 2000
	_, err := pipeline.Run(ctx, pipeline.Options{Workspace: w, TrainingOptions: options.TrainingOptions{Epochs: &epochs, TrainSamples: &samples}, SearchOptions: options.SearchOptions{Targets: []string{"4.0bit"}}})
	if err != nil {
		return fmt.Errorf("run the example: %w", err)
	}
	return os.RemoveAll(w)
}

// take samples the process once what is garbage has gone back to the system.
func take(start time.Time) (sample, error) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	pages, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return sample{}, fmt.Errorf("read the resident memory, which needs Linux: %w", err)
	}
	var size, resident float64
	if _, err := fmt.Sscan(string(pages), &size, &resident); err != nil {
		return sample{}, fmt.Errorf("read /proc/self/statm: %w", err)
	}
	return sample{
		time.Since(start).Minutes(), resident * float64(os.Getpagesize()) / 1e6, float64(m.HeapAlloc) / 1e6, float64(runtime.NumGoroutine()),
	}, nil
}

// judge fits lines to the samples after the first third.
func judge(out io.Writer, samples []sample, bound float64) error {
	if len(samples) < 6 {
		return fmt.Errorf("%d rounds are too few for a slope: give more time with -for", len(samples))
	}
	settled := samples[len(samples)/3:]
	rss := slope(settled, func(s sample) float64 { return s.rss })
	heap := slope(settled, func(s sample) float64 { return s.heap })
	goroutines := slope(settled, func(s sample) float64 { return s.goroutines })
	first, last := settled[0], settled[len(settled)-1]
	fmt.Fprintf(out, "%d rounds in %.1f min; a minute: %+.3f MB resident, %+.3f MB heap, %+.3f goroutines; resident %.1f MB, then %.1f MB\n",
		len(samples), last.minutes, rss, heap, goroutines, first.rss, last.rss)
	switch {
	case rss > bound:
		return fmt.Errorf("resident memory grows by %.2f MB a minute, more than %.2f", rss, bound)
	case goroutines > 0 && last.goroutines > first.goroutines:
		return fmt.Errorf("goroutines grew from %.0f to %.0f", first.goroutines, last.goroutines)
	}
	return nil
}

// slope is that of the least-squares line through a quantity, per minute.
func slope(samples []sample, of func(sample) float64) float64 {
	var x, y, xx, xy float64
	n := float64(len(samples))
	for _, s := range samples {
		x, y, xx, xy = x+s.minutes, y+of(s), xx+s.minutes*s.minutes, xy+s.minutes*of(s)
	}
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}
