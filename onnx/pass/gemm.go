package pass

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// PlainGemm takes alpha, beta and transA out of Gemms with constant weights, and gives them a bias per column: alpha
// and beta go into the constants, one number is written for every column, and any other summand is added behind.
type PlainGemm struct{ always }

// Name names the pass.
func (PlainGemm) Name() string { return "settings of Gemm" }

// Apply rewrites every match.
func (PlainGemm) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		w := n.Input(1)
		if n.Op() != "Gemm" || n.Domain() != "" || !single(n) || n.Input(0) == nil || n.Input(0).Const() != nil ||
			w == nil || w.Const() == nil || w.Const().DType != tensor.Float32 || len(w.Const().Shape) != 2 {
			continue
		}
		for _, step := range []func(*onnx.Graph, *onnx.Node) (bool, error){plainAlpha, plainInput, plainBias} {
			done, err := step(m.Graph, n)
			if err != nil {
				return modified, fmt.Errorf("%s: %w", n, err)
			}
			modified = modified || done
		}
	}
	return modified, nil
}

// plainAlpha multiplies the weights with alpha.
func plainAlpha(g *onnx.Graph, n *onnx.Node) (bool, error) {
	alpha := n.Float("alpha", 1)
	if alpha == 1 {
		return false, nil
	}
	t, ok := scaled(n.Input(1).Const(), alpha)
	if !ok {
		return false, nil
	}
	n.RemoveAttr("alpha")
	return true, setInput(g, n, 1, "", t)
}

// scaled is a tensor of floats times a number, false where float32 does not hold the result.
func scaled(t *tensor.Tensor, by float32) (*tensor.Tensor, bool) {
	f, err := tensor.Floats(t)
	if err != nil {
		return nil, false
	}
	v := make([]float64, len(f))
	for i, x := range f {
		v[i] = float64(x) * float64(by)
	}
	return tensor.From(t.Shape, narrow64(v, len(v))), finite64(v)
}

// plainInput writes transA as a Transpose in front.
func plainInput(g *onnx.Graph, n *onnx.Node) (bool, error) {
	if n.Int("transA", 0) == 0 {
		return false, nil
	}
	x, err := swapLast(g, n, n.Input(0), 2)
	if err != nil {
		return false, err
	}
	n.RemoveAttr("transA")
	n.SetInput(0, x)
	return true, nil
}

// plainBias gives a Gemm one addend per column or none.
func plainBias(g *onnx.Graph, n *onnx.Node) (bool, error) {
	c, beta := n.Input(2), n.Float("beta", 1)
	switch {
	case c == nil && !n.Has("beta"), c != nil && beta == 1 && isRow(c.Const(), columns(n)):
		return false, nil
	case c == nil, beta == 0:
		n.RemoveAttr("beta")
		n.SetInput(2, nil)
		return true, nil
	case c.Const() == nil:
		return true, addendBehind(g, n, c, beta)
	case c.Const().DType != tensor.Float32:
		return false, nil
	}
	t, ok := scaled(c.Const(), beta)
	if !ok {
		return false, nil
	}
	if f, err := tensor.Floats(t); err == nil && len(f) == 1 {
		t = tensor.From(tensor.Shape{columns(n)}, narrow64([]float64{float64(f[0])}, columns(n)))
	}
	if isRow(t, columns(n)) {
		n.RemoveAttr("beta")
		return true, setInput(g, n, 2, "", t)
	}
	v, err := g.AddInitializer(g.FreshName(c.Name()), t)
	if err != nil {
		return false, err
	}
	return true, addendBehind(g, n, v, 1)
}

// columns counts the columns of the weights as a Gemm multiplies with them.
func columns(n *onnx.Node) int {
	s := n.Input(1).Const().Shape
	if n.Int("transB", 0) != 0 {
		return s[0]
	}
	return s[1]
}

// isRow reports whether a constant has one element per column.
func isRow(t *tensor.Tensor, columns int) bool {
	return t != nil && t.DType == tensor.Float32 && (t.Shape.Equal(tensor.Shape{columns}) || t.Shape.Equal(tensor.Shape{1, columns}))
}

// addendBehind takes the summand out of a Gemm and adds beta times it behind.
func addendBehind(g *onnx.Graph, n *onnx.Node, c *onnx.Value, beta float32) error {
	n.RemoveAttr("beta")
	n.SetInput(2, nil)
	y, behind := n.Output(0), next(g, n)
	s, _ := y.Shape()
	if beta != 1 {
		by, err := g.AddInitializer(g.FreshName(n.Name()+"/beta"), tensor.Scalar(beta))
		if err != nil {
			return err
		}
		shape, _ := c.Shape()
		if c, err = chain(g, behind, c, n.Name(), n.Name(), []step{{op: "Mul", in: []*onnx.Value{by}, shape: shape}}); err != nil {
			return err
		}
	}
	sum, err := chain(g, behind, y, n.Name(), y.Name(), []step{{op: "Add", in: []*onnx.Value{c}, shape: s}})
	if err != nil {
		return err
	}
	return handOver(g, y, sum)
}

// handOver makes everything that reads a value read what one node makes of it, which takes its place among the graph
// outputs.
func handOver(g *onnx.Graph, y, made *onnx.Value) error {
	if y.IsOutput() {
		if err := g.ReplaceOutput(y, made); err != nil {
			return err
		}
	}
	if err := g.ReplaceUses(y, made); err != nil {
		return err
	}
	made.Producer().SetInput(0, y)
	return nil
}
