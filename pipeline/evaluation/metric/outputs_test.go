package metric

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

func TestOutputRows(t *testing.T) {
	var list Outputs
	list.add("box", tensor.Shape{2, 1, 2}, 2, nil)
	list.add("coarse", tensor.Shape{2, 3}, 3, nil)
	list.add("fine", tensor.Shape{2, 4}, 4, nil)
	if list[0].Kind != quantize.Values || list[1].Kind != quantize.Scores || list.Row() != 9 {
		t.Fatalf("%+v", list)
	}
	for classes, want := range map[int]int{0: 1, 3: 1, 4: 2, 7: 1} {
		if got := list.Labelled(classes); got != want {
			t.Errorf("labels of %d classes belong to output %d, want %d", classes, got, want)
		}
	}
	rows, err := list.Joined([][]float32{{1, 2, 3, 4}, {0, 0, 5, 5, 0, 0}, {1, 0, 0, 0, 0, 1, 0, 0}}, 2)
	want := []float32{1, 2, 0, 0, 5, 1, 0, 0, 0, 3, 4, 5, 0, 0, 0, 1, 0, 0}
	if err != nil || !slices.Equal(rows, want) {
		t.Fatalf("rows %v, %v", rows, err)
	}
	if _, err := list.Joined([][]float32{{1, 2, 3, 4}, {0, 0, 5, 5, 0}, {1, 0, 0, 0, 0, 1, 0, 0}}, 2); err == nil {
		t.Error("an output of another size was accepted")
	}
	spreads, err := list.Spreads(rows, 2)
	if err != nil || len(spreads[0]) != 1 || spreads[0][0] != 1.25 || spreads[1] != nil {
		t.Fatalf("spreads %v, %v", spreads, err)
	}
	other := slices.Clone(rows)
	other[0], other[4] = 2, -5 // a box off by 1, and another coarse class
	d := list.Distance(rows[:9], other[:9], spreads, 1)
	if want := 1/(2*1.25) + divergence(rows[2:5], other[2:5]); math.Abs(d-want) > 1e-9 {
		t.Errorf("distance %g, want %g", d, want)
	}
	if share, flips := list.Agreement(rows, other, 2); share != 0.5 || flips != 1 {
		t.Errorf("agreement %g, %d flips", share, flips)
	}
	if share, flips := list[:1].Agreement([]float32{1, 2, 3, 4}, []float32{2, 2, 3, 4}, 2); math.Abs(share-0.8) > 1e-9 || flips != 0 {
		t.Errorf("agreement of values %g, %d flips", share, flips)
	}
	fine := slices.Clone(list)
	fine.Label(4)
	if share, flips := fine.Agreement(rows, other, 2); share != 1 || flips != 0 || fine.Predicting() != 2 {
		t.Errorf("agreement %g, %d flips of the output that labels belong to", share, flips)
	}
	g := NewGap(list)
	g.Add(rows[:9], other[:9], 1) // batch by batch
	g.Add(rows[9:], other[9:], 1)
	whole := d + list.Distance(rows[9:], other[9:], spreads, 1)
	if got := g.Distance(); math.Abs(got-whole/2) > 1e-6 || g.Agreement() != 0.5 {
		t.Errorf("distance %g and agreement %g of both samples, want %g", got, g.Agreement(), whole/2)
	}
	if o := list.Compared(rows, 2); o.Name != "box" || !slices.Equal(o.Logits, []float32{1, 2, 3, 4}) || len(o.More) != 2 || o.More[1].Per != 4 {
		t.Errorf("taken apart: %+v", o)
	}
}

// TestEmptyRows: outputs without elements are an error and no panic.
func TestEmptyRows(t *testing.T) {
	if _, _, err := Rows([]ort.Floats{{Name: "boxes", Shape: tensor.Shape{2, 0}}}, 2, nil); err == nil || !strings.Contains(err.Error(), `"boxes" is empty`) {
		t.Errorf("no elements: %v", err)
	}
}
