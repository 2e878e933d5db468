package pass

import (
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// TestUnflatten: a Softmax up to opset 12 takes all dimensions from its axis on for one. Where that is one already it
// works along it; elsewhere Reshapes make it one, and leave the batch in front.
func TestUnflatten(t *testing.T) {
	axis := func(a int64) []onnx.Attr { return []onnx.Attr{onnx.IntAttr("axis", a)} }
	for _, tt := range []struct {
		name  string
		shape tensor.Shape
		attrs []onnx.Attr
		alone int64   // the axis; where it is to be flattened, -1
		flat  []int64 // what the Reshape in front takes, nil for none
		back  []int64
	}{
		{"last", tensor.Shape{-1, 3, 4}, axis(2), -1, nil, nil},
		{"default of rows", tensor.Shape{-1, 10}, nil, -1, nil, nil},
		{"last of one sample's", tensor.Shape{1, 10}, axis(0), -1, nil, nil},
		{"channels of a single pixel", tensor.Shape{-1, 10, 1, 1}, nil, 1, nil, nil},
		{"channels of a single pixel, one sample", tensor.Shape{1, 10, 1, 1}, axis(-4), 1, nil, nil},
		{"channels in the middle", tensor.Shape{-1, 1, 10, 1}, axis(1), 2, nil, nil},
		{"single elements", tensor.Shape{-1, 1, 1}, axis(1), -1, nil, nil},
		{"all of a sample", tensor.Shape{-1, 3, 4, 5}, nil, -1, []int64{0, -1}, []int64{0, 3, 4, 5}},
		{"a plane", tensor.Shape{-1, 3, 4, 5}, axis(-2), -1, []int64{0, 0, -1}, []int64{0, 0, 4, 5}},
		{"all of one sample", tensor.Shape{1, 3, 4}, axis(0), -1, []int64{0, -1}, []int64{0, 3, 4}},
		{"all of several samples", tensor.Shape{2, 3}, axis(0), -1, []int64{-1}, []int64{2, 3}},
	} {
		for _, op := range []string{"Softmax", "LogSoftmax", "Hardmax"} {
			t.Run(op+", "+tt.name, func(t *testing.T) {
				m := build(t, 11).in("x", tt.shape...).op(op, "x", "y", tt.attrs...).out("y")
				if !apply(t, UpgradeOpset{}, m) || m.Opset("") != MinOpset {
					t.Error("nothing done")
				}
				list := m.Graph.Nodes()
				if tt.flat == nil {
					if len(list) != 1 || list[0].Int("axis", 99) != tt.alone {
						t.Errorf("axis %d of\n%s", list[0].Int("axis", 99), listing(m))
					}
					return
				}
				if len(list) != 3 || list[1].Op() != op || m.Graph.Outputs()[0].Name() != "y" {
					t.Fatalf("output %q of\n%s", m.Graph.Outputs()[0].Name(), listing(m))
				}
				for i, want := range [][]int64{0: tt.flat, 2: tt.back} {
					if want != nil && !slices.Equal(constInts(list[i].Input(1)), want) {
						t.Errorf("node %d reshapes to %v, want %v", i, constInts(list[i].Input(1)), want)
					}
				}
				if a := list[1].Int("axis", 99); a != tt.alone {
					t.Errorf("axis %d", a)
				}
			})
		}
	}
}

// TestUnflattenComputed: the shape that tells which axis is the last is computed in the file itself, and stands nowhere
// in it.
func TestUnflattenComputed(t *testing.T) {
	m := build(t, 11).in("x", -1, 2, 4).init("zero", tensor.Scalar(int64(0))).ints("rest", 8).
		op("Shape", "x", "s").op("Gather", "s zero", "n", onnx.IntAttr("axis", 0)).op("Unsqueeze", "n", "nu", onnx.IntsAttr("axes", []int64{0})).
		op("Concat", "nu rest", "to", onnx.IntAttr("axis", 0)).op("Reshape", "x to", "r").op("Softmax", "r", "y").out("y")
	if err := Normalise(m); err != nil {
		t.Fatal(err)
	}
	if got := operators(m); got != "Reshape:1 Softmax:1" || m.Graph.Outputs()[0].Producer().Int("axis", 0) != -1 {
		t.Errorf("operators %s", got)
	}
}
