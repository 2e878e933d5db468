package pipeline

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/quantize"
)

// scores are one output of class scores.
func scores(classes int) outputs {
	return outputs{{name: "scores", kind: quantize.Scores, to: classes}}
}

func TestTally(t *testing.T) {
	logits := []float32{2, 1, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 3, 3}
	list := scores(7)
	s := tally{labels: true}
	s.add(list, logits, 2, []int32{0, 6})
	if s.right != 1 || s.right5 != 1 || s.n != 2 {
		t.Errorf("%+v", s)
	}
	want := math.Log(math.E*math.E+math.E+5) - 2 + math.Log(7)
	if math.Abs(s.loss-want) > 1e-9 {
		t.Errorf("loss %g, want %g", s.loss, want)
	}
	if top1 := s.share(s.right); top1 == nil || *top1 != 0.5 {
		t.Errorf("top-1 %v", top1)
	}
	if d := cmp.Diff(hits{1, 0}, s.hits); d != "" {
		t.Error(d)
	}
	u := tally{}
	u.add(list, logits[:7], 1, nil)
	if u.share(u.right) != nil || u.n != 1 {
		t.Errorf("without labels: %+v", u)
	}
}

func TestDivergence(t *testing.T) {
	p, q := []float32{0, 0}, []float32{float32(math.Log(3)), 0}
	if d, want := divergence(p, q), 0.5*math.Log(0.5/0.75)+0.5*math.Log(0.5/0.25); math.Abs(d-want) > 1e-6 {
		t.Errorf("KL %g, want %g", d, want)
	}
	if d := divergence(q, q); d != 0 {
		t.Errorf("KL of equal logits is %g", d)
	}
}

func TestAgreement(t *testing.T) {
	share, flips := scores(2).agreement([]float32{1, 0, 0, 1, 1, 1}, []float32{2, 0, 3, 1, 5, 4}, 3)
	if flips != 1 || math.Abs(share-2.0/3) > 1e-12 {
		t.Errorf("share %g, %d flips", share, flips)
	}
}

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

// TestSoftDivergence is the plain one at temperature 1 and, at high ones, half the variance of the differences.
func TestSoftDivergence(t *testing.T) {
	p, q := []float32{1, 2, -3, 0.5}, []float32{0.5, 2.5, -2, 1}
	if got, want := softDivergence(p, q, 1), divergence(p, q); got != want {
		t.Errorf("temperature 1: %g, want %g", got, want)
	}
	var mean, squares float64
	for i := range p {
		d := float64(p[i] - q[i])
		mean += d / 4
		squares += d * d / 4
	}
	if got, want := softDivergence(p, q, 300), (squares-mean*mean)/2; math.Abs(got-want) > 0.02*want {
		t.Errorf("temperature 300: %g, want %g", got, want)
	}
}
