package pass

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// PlainProduct writes products with a constant matrix the way layers stand: MatMul by weights of leading dimensions 1
// by the matrix alone, and MatMul and Gemm whose first operand is constant with both operands transposed and swapped.
type PlainProduct struct{ always }

// Name names the pass.
func (PlainProduct) Name() string { return "products" }

// Apply rewrites every match.
func (PlainProduct) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if n.Domain() != "" || !single(n) || n.Input(0) == nil || n.Input(1) == nil {
			continue
		}
		for _, step := range []func(*onnx.Graph, *onnx.Node) (bool, error){dropLeading, swapOperands} {
			done, err := step(m.Graph, n)
			if err != nil {
				return modified, fmt.Errorf("%s: %w", n, err)
			}
			modified = modified || done
		}
	}
	return modified, nil
}

// dropLeading takes leading dimensions of 1 off a constant operand of MatMul. The other one has as many dimensions.
func dropLeading(g *onnx.Graph, n *onnx.Node) (bool, error) {
	if n.Op() != "MatMul" {
		return false, nil
	}
	for i := range 2 {
		t, other := n.Input(i).Const(), n.Input(1-i)
		s, known := other.Shape()
		if t == nil || other.Const() != nil || len(t.Shape) < 3 || !known || len(s) < len(t.Shape) || t.Shape[:len(t.Shape)-2].Numel() != 1 {
			continue
		}
		matrix, err := tensor.New(t.DType, t.Shape[len(t.Shape)-2:], t.Raw)
		if err != nil {
			return false, err
		}
		return true, setInput(g, n, i, "", matrix)
	}
	return false, nil
}

// swapOperands writes A x = (xT AT)T where A is constant. What a Gemm adds is added behind.
func swapOperands(g *onnx.Graph, n *onnx.Node) (bool, error) {
	w, x := n.Input(0).Const(), n.Input(1)
	s, known := x.Shape()
	gemm := n.Op() == "Gemm"
	if !gemm && n.Op() != "MatMul" || w == nil || w.DType != tensor.Float32 || len(w.Shape) != 2 || x.Const() != nil || !known || len(s) < 2 {
		return false, nil
	}
	out, known := n.Output(0).Shape()
	w, ok := scaled(w, n.Float("alpha", 1))
	if !known || !ok {
		return false, nil
	}
	if c := n.Input(2); c != nil {
		if err := addendBehind(g, n, c, n.Float("beta", 1)); err != nil {
			return false, err
		}
	}
	var err error
	if n.Int("transA", 0) == 0 {
		w = transposed(w)
	}
	if n.Int("transB", 0) == 0 {
		if x, err = swapLast(g, n, x, len(s)); err != nil {
			return false, err
		}
	}
	v, err := g.AddInitializer(g.FreshName(n.Input(0).Name()+"/transposed"), w)
	if err != nil {
		return false, err
	}
	product := swapped(out)
	y, err := chain(g, n, x, n.Name(), n.Output(0).Name(), []step{{op: "MatMul", in: []*onnx.Value{v}, shape: product}})
	if err != nil {
		return false, err
	}
	if y, err = swapLast(g, n, y, len(s)); err != nil {
		return false, err
	}
	return true, takeOver(g, n, y)
}

// swapLast is a value with its last two dimensions swapped: what it is the swapped form of, or a Transpose in front of
// a node.
func swapLast(g *onnx.Graph, before *onnx.Node, x *onnx.Value, rank int) (*onnx.Value, error) {
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[rank-2], perm[rank-1] = int64(rank-1), int64(rank-2)
	if p := permutation(x.Producer()); slices.Equal(p, perm) {
		return x.Producer().Input(0), nil
	}
	s, _ := x.Shape()
	return chain(g, before, x, before.Name(), x.Name(), []step{{op: "Transpose", shape: swapped(s), attrs: []onnx.Attr{onnx.IntsAttr("perm", perm)}}})
}

// swapped is a shape with its last two dimensions swapped; an unknown one stays unknown.
func swapped(s tensor.Shape) tensor.Shape {
	if len(s) < 2 {
		return nil
	}
	s = s.Clone()
	s[len(s)-2], s[len(s)-1] = s[len(s)-1], s[len(s)-2]
	return s
}

// transposed is a matrix with rows and columns swapped.
func transposed(t *tensor.Tensor) *tensor.Tensor {
	rows, columns := t.Shape[0], t.Shape[1]
	out := &tensor.Tensor{DType: t.DType, Shape: tensor.Shape{columns, rows}, Raw: make([]byte, 0, len(t.Raw))}
	size := t.DType.Bits() / 8
	for c := range columns {
		for r := range rows {
			i := (r*columns + c) * size
			out.Raw = append(out.Raw, t.Raw[i:i+size]...)
		}
	}
	return out
}
