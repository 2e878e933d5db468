package comparison

import (
	"math"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
)

// TestOf: what differs is counted and named, over several parts, too.
func TestOf(t *testing.T) {
	tensors := []metadata.TensorBits{{Tensor: "a", Node: "/a"}, {Tensor: "b", Node: "/b"}, {Tensor: "c", Node: "/c"}}
	want := Outputs{Codes: map[string][]uint8{"a": {1, 2}, "b": {3, 4}, "c": {5, 5}}, Name: "scores", Logits: []float32{1, 2, 3, 1}, Classes: 2}
	got := Outputs{Codes: map[string][]uint8{"a": {1, 2}, "b": {3, 9}, "c": {4, 5}}, Logits: []float32{1, 2, 0.5, 1}, Classes: 2}
	c := Of(tensors, want, got)
	if c.Compared != 6 || c.Different != 2 || c.MaxCode != 5 || c.Flips != 1 || c.MaxAbsDiff != 2.5 || c.Equal() || !c.Within(5) || c.Within(4) {
		t.Errorf("%+v", c)
	}
	if s := c.First.String(); s != `node "/b": element 0 of tensor "b" is 9 instead of 4 (sample 1 of those compared)` {
		t.Error(s)
	}
	if c.Wrong(0) != c.First || c.Wrong(1).Tensor != "b" {
		t.Errorf("%v, %v", c.Wrong(0), c.Wrong(1))
	}
	if c.Astray(0.84) != nil || c.Astray(0.83) == nil {
		t.Errorf("2.5 of 3 is no share between 0.83 and 0.84: %+v", c.Outputs)
	}
	sum := Of(tensors, want, want)
	sum.Add(c, 2)
	if s := sum.Astray(0).String(); s != `element 0 of output "scores" is 0.5 instead of 3 (sample 3 of those compared)` || sum.Compared != 12 || sum.Flips != 1 {
		t.Errorf("%s; %+v", s, sum)
	}
	if sum.First.Sample != 3 || sum.Wrong(1).Sample != 3 || c.First.Sample != 1 {
		t.Errorf("%v and %v of further samples, %v of the same alone", sum.First, sum.Wrong(1), c.First)
	}
	got.Logits = []float32{1, 2, float32(math.NaN()), 1}
	if c = Of(nil, want, got); c.Astray(1e9) == nil {
		t.Errorf("an output that is no number passes: %+v", c)
	}
	delete(got.Codes, "a")
	if c = Of(tensors, want, got); len(c.Missing) != 1 || c.Missing[0] != "a" || c.Within(255) {
		t.Errorf("%+v", c)
	}
	if c = Of(tensors, want, want); !c.Equal() {
		t.Errorf("%+v", c)
	}
}

// TestCrowd: codes that are off by one are roundings as long as they are few.
func TestCrowd(t *testing.T) {
	tensors := []metadata.TensorBits{{Tensor: "a", Node: "/a"}, {Tensor: "b", Node: "/b"}}
	codes := func(off int) Outputs {
		a, b := make([]uint8, 1000), make([]uint8, 1000)
		a[7] = 1 // a rounding, before what is wrong
		for i := range off {
			b[i] = 1
		}
		return Outputs{Codes: map[string][]uint8{"a": a, "b": b}}
	}
	zero := Outputs{Codes: map[string][]uint8{"a": make([]uint8, 1000), "b": make([]uint8, 1000)}}
	for off, want := range map[int]bool{3: true, 10: true, 11: false} {
		var c Comparison
		for range 2 {
			c.Add(Of(tensors, zero, codes(off)), 0)
		}
		if at := c.Wrong(1); (at == nil) != want || at != nil && at.Node != "/b" {
			t.Errorf("%d of 1000 codes off by one: %v", off, at)
		}
	}
}

// TestCodesBack: codes of the reference come back from the container of a file, which may be signed.
func TestCodesBack(t *testing.T) {
	codes := []uint8{0, 1, 127, 128, 255}
	for _, dtype := range []tensor.DType{tensor.Uint8, tensor.Int8} {
		for _, signed := range []bool{false, true} {
			x, err := FromCodes(codes, dtype, signed, tensor.Shape{len(codes)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := Codes(x, signed)
			if err != nil || !slices.Equal(got, codes) {
				t.Errorf("%s, signed %t: %v, %v", dtype, signed, got, err)
			}
		}
	}
	if _, err := Codes(tensor.From(tensor.Shape{1}, []float32{1}), false); err == nil {
		t.Error("floats are no codes")
	}
	if _, err := Codes(nil, false); err == nil {
		t.Error("codes of nothing")
	}
}
