package session

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestPaired: a machine that slows down under the comparison changes both of a pair, not their ratio, and a run that is
// disturbed changes no median.
func TestPaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // sleeps take exactly as long as they say
		var runs []int
		rate, ratio, err := paired(func(i int) error {
			load := time.Duration(1 + len(runs)/2) // slower by the pair
			if runs = append(runs, i); len(runs)%11 == 0 {
				load *= 5
			}
			time.Sleep(load * time.Duration(2-i) * time.Millisecond)
			return nil
		})
		if err != nil || ratio != 2 || rate > 1000.0/2/2 || rate < 1000.0/2/16 {
			t.Errorf("rate %g, ratio %g; %v", rate, ratio, err)
		}
		for k := 0; k+3 < len(runs); k += 4 {
			if runs[k] == runs[k+1] || runs[k+2] == runs[k+3] || runs[k] == runs[k+2] {
				t.Fatalf("runs %v do not alternate in order", runs)
			}
		}
		if len(runs) != 2*(speedRounds+1) {
			t.Errorf("%d runs", len(runs))
		}
		runs = nil
		if _, _, err := paired(func(i int) error { runs = append(runs, i); time.Sleep(time.Second); return nil }); err != nil || len(runs) != 2*(leastRounds+1) {
			t.Errorf("slow models ran %d times; %v", len(runs), err)
		}
	})
	broken := errors.New("broken")
	if _, _, err := paired(func(int) error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}
