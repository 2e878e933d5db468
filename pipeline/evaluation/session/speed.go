package session

import (
	"context"
	"slices"
	"time"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Rounds of a comparison of speed; fewer, but never less than leastRounds, where a model is slow.
const (
	speedRounds = 15
	leastRounds = 3
	speedTime   = 4 * time.Second
)

// Speed runs two models on the same pictures, on one thread and in turn, so that both see the same load of the machine and
// no scheduling of threads. The shape of x begins with the number of pictures. It returns the median rate of the first in
// pictures per second, and of the second that rate times the median ratio of neighbouring runs: a ratio of two medians would
// compare runs of different moments.
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

// paired times two things in turn, and the other one first in every second round. It returns how often the first one runs
// in a second, and how many times as fast the second one is, medians both.
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

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
