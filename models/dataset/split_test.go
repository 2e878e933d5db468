package dataset

import (
	"fmt"
	"slices"
	"testing"
)

// splitsOf cuts a source of the given splits, in turn, and returns the items of each split.
func splitsOf(t *testing.T, o Options, n int, names ...string) map[string][]int {
	t.Helper()
	src := &source{}
	for i := range n {
		src.items = append(src.items, item{name: fmt.Sprint(i), split: names[i%len(names)]})
	}
	out := map[string][]int{}
	for _, s := range []string{Train, Test, HeldOut} {
		o.Split = s
		var err error
		if out[s], err = choose(src, o); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return out
}

func disjoint(t *testing.T, splits map[string][]int) {
	t.Helper()
	seen := map[int]string{}
	for name, list := range splits {
		for _, i := range list {
			if other := seen[i]; other != "" {
				t.Fatalf("item %d is in %s and %s", i, name, other)
			}
			seen[i] = name
		}
	}
}

func TestReserve(t *testing.T) {
	for _, tt := range []struct {
		name         string
		n            int
		splits       []string
		o            Options
		train, judge int
	}{
		{"a tenth", 4000, []string{Train, Test}, Options{Reserve: true}, 1800, 200},
		{"too few to tell", 1000, []string{Train, Test}, Options{Reserve: true}, 500, 0},
		{"no more than needed", 60000, []string{Train, Test}, Options{Reserve: true}, 30000 - 2048, 2048},
		{"a validation split", 3000, []string{Train, Val, Test}, Options{Reserve: true}, 1000, 1000},
		{"a validation split in place of the test", 4000, []string{Train, Val}, Options{Reserve: true}, 1800, 200},
		{"one split", 4000, []string{Train}, Options{Reserve: true, Holdout: 0.5}, 1800, 200},
		{"beside samples for development", 4000, []string{Train, Test}, Options{Reserve: true, Develop: 500}, 1350, 150},
		{"not asked for", 4000, []string{Train, Test}, Options{}, 2000, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := splitsOf(t, tt.o, tt.n, tt.splits...)
			if len(got[Train]) != tt.train || len(got[HeldOut]) != tt.judge {
				t.Errorf("%d to train on and %d to judge, want %d and %d", len(got[Train]), len(got[HeldOut]), tt.train, tt.judge)
			}
			disjoint(t, got)
			tt.o.Seed = 7
			if again := splitsOf(t, tt.o, tt.n, tt.splits...); tt.o.Holdout == 0 && !slices.Equal(again[HeldOut], got[HeldOut]) {
				t.Error("the seed changes which samples judge")
			}
		})
	}
}
