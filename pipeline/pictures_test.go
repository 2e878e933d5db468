package pipeline

import "testing"

func TestDraw(t *testing.T) {
	a, b := draw(100, 10, "search", 1), draw(100, 10, "calibrate", 1)
	if len(a) != 10 || len(draw(5, 10, "x", 1)) != 5 {
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
