package report

import (
	"math"
	"strings"
	"testing"
)

// TestTicks: labels are round, and an axis begins no later than its data and ends no earlier.
func TestTicks(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{
		{21.7e6, 234e6, "20 M 50 M 100 M 200 M"},
		{0.00078, 7.79, "0.001 0.01 0.1 1"},
		{0.1, 2, "0.1 0.2 0.5 1 2"},
		{0.3, 0.31, "0.2 0.5"},
		{0.1, 0.6, "0.1 0.2 0.5"},
		{1, 1000, "1 10 100 1 k"},
	} {
		data := around(math.Log10(c.lo), math.Log10(c.hi))
		a := roundLog(data)
		if a.lo > data.lo+1e-9 || a.hi < data.hi-1e-9 {
			t.Errorf("%g to %g: the axis goes from %g to %g", c.lo, c.hi, math.Pow(10, a.lo), math.Pow(10, a.hi))
		}
		if got := labels(a.decades(func(v float64) string { return short(v, "", "k", "M") })); got != c.want {
			t.Errorf("%g to %g: ticks %s, want %s", c.lo, c.hi, got, c.want)
		}
	}
	for _, c := range []struct {
		top  float64
		want string
	}{{0.78, "0 0.2 0.4 0.6 0.8"}, {1, "0 0.5 1"}, {7, "0 2 4 6 8"}, {0, "0 1"}} {
		a, ticks := fromZero(c.top)
		if got := labels(ticks); got != c.want || a.hi < c.top || ticks[len(ticks)-1].At != 100 {
			t.Errorf("0 to %g: ticks %s, want %s", c.top, got, c.want)
		}
	}
	if got := labels(steps(519)); got != "0 200 400" {
		t.Errorf("ticks of 519 updates: %s", got)
	}
	if got := labels(steps(1)); got != "0 1" {
		t.Errorf("ticks of one update: %s", got)
	}
}

func labels(ticks []tick) string {
	var out []string
	for _, k := range ticks {
		out = append(out, strings.ReplaceAll(k.Label, "\u00a0", " "))
	}
	return strings.Join(out, " ")
}
