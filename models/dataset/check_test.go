package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// outcome is what a check leaves, in words.
func outcome(s *Set, err error) string {
	return fmt.Sprintf("%d left, bad %v, error %v", s.Len(), s.Bad(), err)
}

// TestCheckIndependentOfWorkers: what is left, what is named and the error are those of one worker.
func TestCheckIndependentOfWorkers(t *testing.T) {
	f := many(t, 500)
	for broken, name := range []string{"c0/0003.png", "c1/0301.png", "c2/0008.png", "c2/0401.png", "c2/0491.png", "c2/0494.png", "c2/0497.png"} {
		if broken > 0 {
			f[name] = memoryFile([]byte("no sample"))
		}
		var want string
		for _, workers := range []int{1, 2, 7} {
			s := open(t, f, plain("GRAY"))
			got := outcome(s, s.Check(t.Context(), CheckOptions{Workers: workers}))
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("%d broken, %d workers: %s\nwant %s", broken, workers, got, want)
			}
		}
		if failed := strings.Contains(want, "cannot be used"); failed != (broken > 5) {
			t.Errorf("%d broken of 500: %s", broken, want)
		}
	}
}

func TestCheckTellsProgress(t *testing.T) {
	s := open(t, many(t, 300), plain("GRAY"))
	var got []int
	err := s.Check(t.Context(), CheckOptions{Progress: func(done, total int) { got = append(got, done, total) }})
	if d := cmp.Diff([]int{128, 300, 256, 300, 300, 300}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = s.Check(ctx, CheckOptions{Progress: func(int, int) { cancel() }})
	if !errors.Is(err, context.Canceled) || s.Len() != 300 {
		t.Errorf("error %v, %d left", err, s.Len())
	}
}

// TestUsable: only the given images are decoded, and the set stays as it is.
func TestUsable(t *testing.T) {
	f := many(t, 300)
	f["c1/0004.png"].Data = nil
	s := open(t, f, plain("GRAY"))
	var mu sync.Mutex
	var fetched []int
	fetch := s.src.fetch
	s.src.fetch = func(ctx context.Context, i int, r room) (sample, error) {
		mu.Lock()
		defer mu.Unlock()
		fetched = append(fetched, i)
		return fetch(ctx, i, r)
	}
	given := []int{250, 3, 101, 7, 99}
	good, err := s.Usable(t.Context(), given, CheckOptions{})
	if d := cmp.Diff([]int{250, 3, 7, 99}, good); d != "" || err != nil {
		t.Error(d, err)
	}
	slices.Sort(fetched)
	if d := cmp.Diff([]int{3, 7, 99, 101, 250}, fetched); d != "" || s.Len() != 300 {
		t.Error(d, s.Len())
	}
	if bad := s.Bad(); len(bad) != 1 || bad[0].Name != "c1/0004.png" {
		t.Errorf("bad samples %v", bad)
	}
	f["c1/0007.png"].Data = nil
	if _, err := s.Usable(t.Context(), []int{101, 5, 102, 6}, CheckOptions{}); err == nil || !strings.Contains(err.Error(), "2 of the first 3 samples that were drawn cannot be used, among them c1/0007.png") {
		t.Errorf("error %v", err)
	}
}
