package memory

import (
	"os"
	"runtime"
	"testing"
)

// TestPeak: what was held and freed counts until the peak is forgotten, what is held counts afterwards, too.
func TestPeak(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory, of which the race detector takes its own")
	}
	if _, err := os.Stat("/proc/self/clear_refs"); err != nil {
		if Peak() != 0 || Resident() != 0 || ForgetPeak() {
			t.Error("a system without /proc tells a peak")
		}
		t.Skip("the system keeps no peak that can be reset")
	}
	const size = 256 << 20
	holding := func(check func()) {
		b := make([]byte, size)
		for i := 0; i < size; i += 4096 {
			b[i] = 1
		}
		check()
		runtime.KeepAlive(b)
	}
	ForgetPeak() // gives back what an earlier test freed
	first := Resident()
	holding(func() {
		if r := Resident(); r < first+size/2 {
			t.Errorf("%d MB are held, %d MB before %d were touched", r>>20, first>>20, size>>20)
		}
	})
	if p := Peak(); p < first+size/2 {
		t.Errorf("a peak of %d MB", p>>20)
	}
	if !ForgetPeak() {
		t.Fatal("the peak cannot be forgotten")
	}
	if p := Peak(); p > first+size/2 {
		t.Errorf("a peak of %d MB after it was forgotten", p>>20)
	}
	holding(func() {
		if p := Peak(); p < first+size/2 {
			t.Errorf("a peak of %d MB with %d held anew", p>>20, size>>20)
		}
	})
}
