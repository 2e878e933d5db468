package samples

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
		t.Error("two purposes drew the same samples")
	}
}

// TestBesideRounding wants searches and verdicts on other samples than codes are chosen for, and verdicts on others
// than searches, as long as there are any.
func TestBesideRounding(t *testing.T) {
	for _, tt := range []struct {
		from, n                    int
		rounding, searched, judges int
		apart                      bool // judges are not those of the search
	}{
		{50_000, 512, roundingSamples, 512, HeldOutSamples, true},
		{2000, 512, roundingSamples, 512, 976, true},
		{1536, 512, roundingSamples, 512, 512, true},
		{500, 128, 333, 128, 39, true},
		{500, 0, 333, 0, 167, true},
		{500, 512, 333, 167, 167, false},
		{3, 512, 2, 1, 1, false},
		{2, 512, 1, 1, 1, false},
		{1, 512, 1, 1, 1, false},
		{0, 512, 0, 0, 0, false},
	} {
		codes, searched, judges := rounding(tt.from, 3), searched(tt.from, tt.n, 3, 4), unsearched(tt.from, tt.n, 3, 4)
		if len(codes) != tt.rounding || len(searched) != tt.searched || len(judges) != tt.judges || !slices.IsSorted(judges) {
			t.Errorf("%d of %d: codes from %d samples, %d searched, %d judge; want %d, %d and %d, the last in order",
				tt.n, tt.from, len(codes), len(searched), len(judges), tt.rounding, tt.searched, tt.judges)
		}
		if len(searched) > 100 && slices.Max(searched[:len(searched)/2]) < tt.from*9/10 {
			t.Errorf("%d of %d: the first half of the search's samples ends early: archives are sorted by class", tt.n, tt.from)
		}
		if tt.from > 1 && (both(codes, searched) || both(codes, judges)) || tt.apart && both(searched, judges) {
			t.Errorf("%d of %d: a sample is drawn for two purposes", tt.n, tt.from)
		}
		if beside := len(besideRounding(tt.from, 3, 4)); tt.apart != (tt.n < beside) {
			t.Errorf("%d of %d: %d are left for search and verdict", tt.n, tt.from, beside)
		}
	}
}

// both reports whether two lists have a number in common.
func both(a, b []int) bool {
	return slices.ContainsFunc(a, func(i int) bool { return slices.Contains(b, i) })
}
