package session

import (
	"context"
	"slices"
	"time"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Speed measures speedRounds rounds. It stops after speedTime, but not before leastRounds.
const (
	speedRounds = 15
	leastRounds = 3
	speedTime   = 4 * time.Second
)

// Speed compares the speed of two models on the samples x of the given shape, whose first dimension is the batch.
//
// Both run on one thread and in turn, so that they see the same load of the machine. rateA is the median of samples per
// second. rateB is rateA times the median ratio of neighbouring runs. A ratio of two medians would compare runs of
// different moments.
func Speed(ctx context.Context, a, b Document, provider string, x []float32, shape tensor.Shape) (rateA, rateB float64, err error) {
	var sessions [2]*ort.Session
	for i, m := range []Document{a, b} {
		if sessions[i], err = m.OpenUntil(ctx, ort.Options{Threads: 1, Optimize: true, Provider: provider}); err != nil {
			return 0, 0, err
		}
		defer func() { _ = sessions[i].Close() }()
	}
	rateA, ratio, err := paired(func(i int) error {
		_, _, err := sessions[i].RunFloat(ctx, x, shape)
		return err
	})
	n := float64(shape[0])
	return rateA * n, rateA * n * ratio, err
}

// paired times run(0) and run(1) in turn and swaps their order in every second round. rate is the median number of runs
// of the first per second. ratio is the median speed of the second relative to the first.
func paired(run func(i int) error) (rate, ratio float64, err error) {
	var rates, ratios []float64
	began := time.Now()
	for round := range speedRounds + 1 {
		var took [2]float64
		for k := range took {
			i := (k + round) % 2
			start := time.Now()
			if err := run(i); err != nil {
				return 0, 0, err
			}
			took[i] = max(time.Since(start).Seconds(), 1e-9)
		}
		if round == 0 { // warms caches
			continue
		}
		rates, ratios = append(rates, 1/took[0]), append(ratios, took[0]/took[1])
		if round >= leastRounds && time.Since(began) > speedTime {
			break
		}
	}
	return median(rates), median(ratios), nil
}

// median sorts v in place and returns its median.
func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
