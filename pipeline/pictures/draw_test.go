package pictures

import (
	"slices"
	"testing"
)

func TestDraw(t *testing.T) {
	a, b := Draw(100, 10, "search", 1), Draw(100, 10, "calibrate", 1)
	if len(a) != 10 || len(Draw(5, 10, "x", 1)) != 5 {
		t.Error("wrong number drawn")
	}
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	if same == 10 {
		t.Error("two purposes drew the same pictures")
	}
}

// TestUnsearched wants verdicts on other pictures than the search's, as many as there are.
func TestUnsearched(t *testing.T) {
	for _, tt := range []struct{ from, searched, want int }{{50_000, 512, JudgePictures}, {2000, 512, 1488}, {600, 512, 88}, {512, 512, 512}, {100, 512, 100}} {
		got := unsearched(tt.from, tt.searched, 3)
		if len(got) != tt.want || !slices.IsSorted(got) {
			t.Errorf("%d of %d: %d pictures, want %d", tt.searched, tt.from, len(got), tt.want)
		}
		if tt.from == tt.want {
			continue
		}
		for _, i := range Draw(tt.from, tt.searched, "search", 3) {
			if slices.Contains(got, i) {
				t.Fatalf("%d of %d: picture %d is of the search, too", tt.searched, tt.from, i)
			}
		}
	}
}
