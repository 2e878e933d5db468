package main

import (
	"io"
	"testing"
)

// TestJudge feeds courses of memory and goroutines that are and are not growing.
func TestJudge(t *testing.T) {
	course := func(mb, goroutines float64) []sample {
		var out []sample
		for i := range 30 {
			m := float64(i) / 2
			out = append(out, sample{minutes: m, rss: 200 + mb*m + float64(i%3), heap: 20, goroutines: 4 + float64(int(goroutines*m))})
		}
		return out
	}
	for _, c := range []struct {
		name           string
		mb, goroutines float64
		fails          bool
	}{{"flat", 0, 0, false}, {"memory", 3, 0, true}, {"goroutines", 0, 1, true}, {"below the bound", 1, 0, false}} {
		if err := judge(io.Discard, course(c.mb, c.goroutines), 2); (err != nil) != c.fails {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if judge(io.Discard, course(0, 0)[:5], 2) == nil {
		t.Error("five samples were enough")
	}
}
