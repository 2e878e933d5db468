package pipeline

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
	var list outputs
	list.add("box", tensor.Shape{2, 1, 2}, 2, nil)
	list.add("coarse", tensor.Shape{2, 3}, 3, nil)
	list.add("fine", tensor.Shape{2, 4}, 4, nil)
	if list[0].kind != quantize.Values || list[1].kind != quantize.Scores || list.row() != 9 {
		t.Fatalf("%+v", list)
	}
	for classes, want := range map[int]int{0: 1, 3: 1, 4: 2, 7: 1} {
		if got := list.labelled(classes); got != want {
			t.Errorf("labels of %d classes belong to output %d, want %d", classes, got, want)
		}
	}
	rows, err := list.joined([][]float32{{1, 2, 3, 4}, {0, 0, 5, 5, 0, 0}, {1, 0, 0, 0, 0, 1, 0, 0}}, 2)
	want := []float32{1, 2, 0, 0, 5, 1, 0, 0, 0, 3, 4, 5, 0, 0, 0, 1, 0, 0}
	if err != nil || !slices.Equal(rows, want) {
		t.Fatalf("rows %v, %v", rows, err)
	}
	if _, err := list.joined([][]float32{{1, 2, 3, 4}, {0, 0, 5, 5, 0}, {1, 0, 0, 0, 0, 1, 0, 0}}, 2); err == nil {
		t.Error("an output of another size was accepted")
	}
	spreads, err := list.spreads(rows, 2)
	if err != nil || len(spreads[0]) != 1 || spreads[0][0] != 1.25 || spreads[1] != nil {
		t.Fatalf("spreads %v, %v", spreads, err)
	}
	other := slices.Clone(rows)
	other[0], other[4] = 2, -5 // a box off by 1, and another coarse class
	d := list.distance(rows[:9], other[:9], spreads, 1)
	if want := 1/(2*1.25) + divergence(rows[2:5], other[2:5]); math.Abs(d-want) > 1e-9 {
		t.Errorf("distance %g, want %g", d, want)
	}
	if share, flips := list.agreement(rows, other, 2); share != 0.5 || flips != 1 {
		t.Errorf("agreement %g, %d flips", share, flips)
	}
	if share, flips := list[:1].agreement([]float32{1, 2, 3, 4}, []float32{2, 2, 3, 4}, 2); math.Abs(share-0.8) > 1e-9 || flips != 0 {
		t.Errorf("agreement of values %g, %d flips", share, flips)
	}
	fine := slices.Clone(list)
	fine.label(4)
	if share, flips := fine.agreement(rows, other, 2); share != 1 || flips != 0 || fine.predicting() != 2 {
		t.Errorf("agreement %g, %d flips of the output that labels belong to", share, flips)
	}
	g := newGap(list)
	g.add(rows[:9], other[:9], 1) // batch by batch
	g.add(rows[9:], other[9:], 1)
	whole := d + list.distance(rows[9:], other[9:], spreads, 1)
	if got := g.distance(); math.Abs(got-whole/2) > 1e-6 || g.agreement() != 0.5 {
		t.Errorf("distance %g and agreement %g of both pictures, want %g", got, g.agreement(), whole/2)
	}
	if o := list.compared(rows, 2); o.Name != "box" || !slices.Equal(o.Logits, []float32{1, 2, 3, 4}) || len(o.More) != 2 || o.More[1].Per != 4 {
		t.Errorf("taken apart: %+v", o)
	}
}

// TestRowsOfOddSizes: outputs without elements, and those whose size depends on the pictures, are errors and no panics.
func TestRowsOfOddSizes(t *testing.T) {
	if _, _, err := rowsOf([]ort.Floats{{Name: "boxes", Shape: tensor.Shape{2, 0}}}, 2, nil); err == nil || !strings.Contains(err.Error(), `"boxes" is empty`) {
		t.Errorf("no elements: %v", err)
	}
	var r reference
	for i, size := range []int{6, 6, 4} {
		y := make([]float32, 2*size)
		rows, list, err := rowsOf([]ort.Floats{{Name: "boxes", Data: y, Shape: tensor.Shape{2, size / 2, 2}}}, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err = r.begin(list); err == nil {
			err = r.add(t.Context(), rows, batchOf{n: 2}, measurement{})
		}
		if (err != nil) != (i == 2) || i == 2 && !strings.Contains(err.Error(), "6 values for some pictures and 4 for others") {
			t.Errorf("batch %d: %v", i, err)
		}
	}
}
