package pipeline

import (
	"context"
	"slices"
	"time"

	"github.com/mpqc/mpqc/internal/ort"
)

// Rounds of a comparison of speed: an odd number, so that the median is a measurement; fewer where a model is slow.
const (
	speedRounds = 7
	speedTime   = 4 * time.Second
)

// speed runs two models on the same pictures in turn, so that both see the same load of the machine, and returns the
// median rate of each in pictures per second.
func (j *job) speed(ctx context.Context, a, b document) (rateA, rateB float64, err error) {
	var x []float32
	n := min(evalBatch, j.data.train.Len())
	err = j.data.each(ctx, j.data.train, all(n), n, func(b batchOf) error {
		x = append(x, b.x...)
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	var sessions [2]*ort.Session
	for i, m := range []document{a, b} {
		if sessions[i], err = m.open(ort.Options{Threads: lanes(j.o.Threads), Optimize: true, Provider: j.o.Provider}); err != nil {
			return 0, 0, err
		}
		defer func() { _ = sessions[i].Close() }()
	}
	var times [2][]time.Duration
	began := time.Now()
	for round := range speedRounds + 1 {
		for i, s := range sessions {
			start := time.Now()
			if _, _, err := s.RunFloat(ctx, x, j.data.batchShape(n)); err != nil {
				return 0, 0, err
			}
			if round > 0 { // the first one warms caches
				times[i] = append(times[i], time.Since(start))
			}
		}
		if round > 0 && time.Since(began) > speedTime {
			break
		}
	}
	return medianRate(times[0], n), medianRate(times[1], n), nil
}

func medianRate(times []time.Duration, n int) float64 {
	slices.Sort(times)
	return float64(n) / max(times[len(times)/2].Seconds(), 1e-9)
}
