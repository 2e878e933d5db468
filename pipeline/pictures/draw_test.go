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

// TestBesideRounding wants searches and verdicts on other pictures than codes are chosen for, and verdicts on others than searches,
// as many as there are.
func TestBesideRounding(t *testing.T) {
	for _, tt := range []struct{ from, n, rounding, searched, judges int }{
		{50_000, 512, RoundingPictures, 512, JudgePictures},
		{2000, 512, RoundingPictures, 512, 976},
		{500, 128, 333, 128, 39},
		{500, 512, 333, 167, 167},
		{2, 512, 1, 1, 1},
		{1, 512, 1, 1, 1},
	} {
		codes, searched, judges := rounding(tt.from, 3), searched(tt.from, tt.n, 3, 4), unsearched(tt.from, tt.n, 3, 4)
		if len(codes) != tt.rounding || len(searched) != tt.searched || len(judges) != tt.judges || !slices.IsSorted(judges) {
			t.Errorf("%d of %d: codes from %d pictures, %d searched, %d judge; want %d, %d and %d, the last in order",
				tt.n, tt.from, len(codes), len(searched), len(judges), tt.rounding, tt.searched, tt.judges)
		}
		if first := slices.Max(searched[:(len(searched)+1)/2]); len(searched) > 100 && first < tt.from*9/10 {
			t.Errorf("%d of %d: the first half ends at picture %d: archives are sorted by class", tt.n, tt.from, first)
		}
		if tt.from == 1 {
			continue // the only picture serves all
		}
		if both(codes, searched) || both(codes, judges) || len(judges) != len(searched) && both(searched, judges) {
			t.Errorf("%d of %d: a picture is drawn for two purposes", tt.n, tt.from)
		}
	}
}

// both reports whether two lists have a number in common.
func both(a, b []int) bool {
	return slices.ContainsFunc(a, func(i int) bool { return slices.Contains(b, i) })
}
