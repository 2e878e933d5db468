package pipeline

import "testing"

// TestLeastUpdates: an effort brings a shortest schedule, stated epochs hold to the letter.
func TestLeastUpdates(t *testing.T) {
	epochs := 2.0
	standard := Options{}.resolve(Options{})
	for _, c := range []struct {
		name         string
		stated, kept Options
		want         int
	}{
		{"nothing stated", Options{}, Options{}, 800},
		{"quick", Options{Effort: "quick"}, Options{}, 200},
		{"epochs", Options{Epochs: &epochs}, Options{}, 0},
		{"epochs of an earlier run", Options{}, Options{Epochs: &epochs}.resolve(Options{}), 0},
		{"epochs after an effort", Options{Epochs: &epochs}, standard, 0},
		{"effort after epochs", Options{Effort: "paper"}, Options{Epochs: &epochs}.resolve(Options{}), 5000},
		{"time", Options{Time: 1}, standard, 0},
	} {
		if got := *c.stated.resolve(c.kept).LeastUpdates; got != c.want {
			t.Errorf("%s: %d updates, want %d", c.name, got, c.want)
		}
	}
}
