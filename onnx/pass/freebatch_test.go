package pass

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// TestFreeBatchLeaves: models in which an operator mixes samples, or moves their dimension, stay as they are, and the
// operator is named.
func TestFreeBatchLeaves(t *testing.T) {
	perm := func(p ...int64) onnx.Attr { return onnx.IntsAttr("perm", p) }
	b := func() *builder { return build(t, 18).in("x", 1, 4, 4).op("Relu", "x", "r").typed("r", 1, 4, 4) }
	tests := []struct {
		name string
		m    *onnx.Model
		why  string
	}{
		{"transpose", b().op("Transpose", "r", "y", perm(1, 0, 2)).typed("y", 4, 1, 4).out("y"), "does not begin with the batch"},
		{"square transpose", build(t, 18).in("x", 1, 1, 4).op("Transpose", "x", "y", perm(1, 0, 2)).typed("y", 1, 1, 4).out("y"), "something else"},
		{"reshape", b().ints("s", 1, 2, 8).op("Reshape", "r s", "q").typed("q", 1, 2, 8).ints("f", 8, 2).op("Reshape", "q f", "y").typed("y", 8, 2).out("y"), "does not begin"},
		{"concat of samples", b().op("Concat", "r r", "y", onnx.IntAttr("axis", 0)).typed("y", 2, 4, 4).out("y"), "does not begin"},
		{"reduction over all", b().op("ReduceSum", "r", "y").typed("y", 1, 1, 1).out("y"), "something else"},
		{"foreign operator", b().op("Magic", "r", "y").typed("y", 1, 4, 4).out("y"), "something else"},
		{"foreign operator without first input", b().op("Magic", "- r", "y").typed("y", 1, 4, 4).out("y"), "something else"},
		{"a product of samples", b().floats("w", tensor.Shape{4, 4}, 1).op("MatMul", "w r", "y").typed("y", 1, 4, 4).out("y"), "first operand"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := listing(tt.m)
			modified, err := FreeBatch{}.Apply(tt.m)
			if err != nil || modified || listing(tt.m) != before {
				t.Errorf("modified %v, %v:\n%s", modified, err, listing(tt.m))
			}
			if err := WhyFixedBatch(tt.m); err == nil || !strings.Contains(err.Error(), tt.why) || !strings.Contains(err.Error(), "n/") {
				t.Errorf("reason %v, want %q", err, tt.why)
			}
		})
	}
	for _, m := range []*onnx.Model{
		build(t, 18).in("x", -1, 4).op("Relu", "x", "y").out("y"),
		build(t, 18).in("x", 2, 4).op("Relu", "x", "y").out("y"),
		build(t, 18).in("x", 1, 4).in("z", 1, 4).op("Add", "x z", "y").out("y"),
	} {
		if FixedBatch(m) != nil {
			t.Errorf("a fixed batch was found in\n%s", listing(m))
		}
	}
}

// TestFreeBatch: targets of Reshapes open, and constants beside samples are repeated.
func TestFreeBatch(t *testing.T) {
	m := build(t, 18).in("x", 1, 3, 2).op("Relu", "x", "r").typed("r", 1, 3, 2).floats("token", tensor.Shape{1, 1, 2}, 7).
		op("Concat", "token r", "c", onnx.IntAttr("axis", 1)).typed("c", 1, 4, 2).ints("s", 1, -1).op("Reshape", "c s", "y").typed("y", 1, 8).out("y")
	if !apply(t, FreeBatch{}, m) {
		t.Fatal("nothing changed")
	}
	wantListing(t, m, `
Relu(x) -> r
Slice(x, token/starts, token/ends, token/axes) -> token/repeated/Slice
Reshape(token/repeated/Slice, token/target) -> token/repeated/Reshape
Mul(token/repeated/Reshape, token/zero) -> token/repeated/Mul
Add(token/repeated/Mul, token) -> token/repeated/Add
Concat(token/repeated/Add, r) -> c
Reshape(c, s/open) -> y`)
	if got := constInts(m.Graph.Value("s/open")); len(got) != 2 || got[0] != -1 || got[1] != 8 {
		t.Errorf("target %v", got)
	}
	if s, _ := m.Graph.Value("y").Shape(); !s.Equal(tensor.Shape{-1, 8}) {
		t.Errorf("output %s", s)
	}
}

func TestUnbindLeaves(t *testing.T) {
	turned := func(p ...int64) *builder {
		return build(t, 18).in("x", -1, 4, 3).op("Transpose", "x", "p", onnx.IntsAttr("perm", p)).ints("i", 0).ints("j", 1).
			init("k", tensor.Scalar(int64(1)))
	}
	for name, m := range map[string]*onnx.Model{
		"batch in front":  turned(0, 2, 1).op("Gather", "p k", "y").out("y"),
		"another axis":    turned(2, 0, 1).op("Gather", "p k", "y", onnx.IntAttr("axis", 2)).out("y"),
		"a vector":        turned(2, 0, 1).op("Gather", "p i", "y").out("y"),
		"two of them":     turned(2, 0, 1).ints("end", 2).op("Slice", "p i end i", "s").op("Squeeze", "s i", "y").out("y"),
		"no transpose":    build(t, 18).in("x", 3, 4).init("k", tensor.Scalar(int64(1))).op("Gather", "x k", "y").out("y"),
		"beyond the last": turned(2, 0, 1).init("far", tensor.Scalar(int64(3))).op("Gather", "p far", "y").out("y"),
	} {
		before := listing(m)
		if modified, err := (Unbind{}).Apply(m); modified || err != nil || listing(m) != before {
			t.Errorf("%s: modified %v, %v", name, modified, err)
		}
	}
}

func TestEinsum(t *testing.T) {
	for equation, want := range map[string]string{
		"bhnd,bhmd->bhnm":      "Transpose(b) -> n/y/b/transposed\nMatMul(a, n/y/b/transposed) -> y",
		"bhnm, bhmd -> bhnd":   "MatMul(a, b) -> y",
		"bhnd,bhmd->bmhn":      "Transpose(b) -> n/y/b/transposed\nMatMul(a, n/y/b/transposed) -> y/product\nTranspose(y/product) -> y",
		"bhnd,bhmd->bhn":       "", // a sum over columns
		"...nd,...md->...nm":   "",
		"bhnn,bhmn->bhnm":      "",
		"bhnd,bhmd":            "",
		"abcd,abce->abde":      "Transpose(a) -> n/y/a/transposed\nMatMul(n/y/a/transposed, b) -> y",
		"bhnd,bhmd,bhmd->bhnm": "",
	} {
		m := build(t, 18).in("a", -1, 2, 3, 4).in("b", -1, 2, 5, 4).op("Einsum", "a b", "y", onnx.StringAttr("equation", equation)).out("y")
		if _, err := (EinsumToMatMul{}).Apply(m); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = "Einsum(a, b) -> y"
		}
		if got := strings.TrimSpace(listing(m)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", equation, got, want)
		}
	}
}
