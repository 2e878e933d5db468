package pass

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/onnx"
)

// EinsumToMatMul writes an Einsum of two operands as MatMul where it is one: letters that both operands and the result
// have count independent products, and besides there is one letter of the rows, one of the columns and one that is
// summed over. Attention layers are of this kind. Transposes bring the letters into MatMul's order.
type EinsumToMatMul struct{ always }

// Name names the pass.
func (EinsumToMatMul) Name() string { return "einsum" }

// Apply rewrites every such Einsum.
func (EinsumToMatMul) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if n.Domain() != "" || n.Op() != "Einsum" || len(n.Inputs()) != 2 || n.Output(0) == nil {
			continue
		}
		e, ok := parseEinsum(n.Str("equation", ""))
		if !ok {
			continue
		}
		if err := e.rewrite(m.Graph, n); err != nil {
			return modified, fmt.Errorf("einsum %q: %w", n.Name(), err)
		}
		modified = true
	}
	return modified, nil
}

// einsum is a product of matrices: letters of both operands and the result, and of those the independent ones in the
// result's order, rows, columns, and sum.
type einsum struct {
	a, b, out       string
	batch           string
	row, column, in string
}

func parseEinsum(equation string) (einsum, bool) {
	equation = strings.ReplaceAll(equation, " ", "")
	operands, out, explicit := strings.Cut(equation, "->")
	a, b, two := strings.Cut(operands, ",")
	e := einsum{a: a, b: b, out: out}
	if !explicit || !two || strings.ContainsAny(equation, ".") || repeats(a) || repeats(b) || repeats(out) {
		return e, false
	}
	for _, c := range out {
		l := string(c)
		switch inA, inB := strings.Contains(a, l), strings.Contains(b, l); {
		case inA && inB:
			e.batch += l
		case inA:
			e.row += l
		case inB:
			e.column += l
		default:
			return e, false
		}
	}
	for _, c := range a {
		if l := string(c); !strings.Contains(out, l) {
			e.in += l
		}
	}
	whole := len(a) == len(e.batch)+2 && len(b) == len(e.batch)+2 && strings.Contains(b, e.in)
	return e, whole && len(e.row) == 1 && len(e.column) == 1 && len(e.in) == 1
}

func repeats(letters string) bool {
	for i, c := range letters {
		if strings.ContainsRune(letters[i+1:], c) {
			return true
		}
	}
	return false
}

// rewrite puts MatMul in the place of a node.
func (e einsum) rewrite(g *onnx.Graph, n *onnx.Node) error {
	a, err := reordered(g, n, n.Input(0), e.a, e.batch+e.row+e.in, "/a")
	if err != nil {
		return err
	}
	b, err := reordered(g, n, n.Input(1), e.b, e.batch+e.in+e.column, "/b")
	if err != nil {
		return err
	}
	product, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(n.Name() + "/matmul"), Op: "MatMul", Inputs: []*onnx.Value{a, b}, Outputs: []string{g.FreshName(n.Output(0).Name() + "/product")},
	}, n)
	if err != nil {
		return err
	}
	product.Output(0).SetType(n.Input(0).DType(), nil)
	y, err := reordered(g, n, product.Output(0), e.batch+e.row+e.column, e.out, "/out")
	if err != nil {
		return err
	}
	return takeOver(g, n, y)
}

// reordered is a value with its dimensions, called by letters, in another order.
func reordered(g *onnx.Graph, before *onnx.Node, v *onnx.Value, from, to, suffix string) (*onnx.Value, error) {
	if from == to {
		return v, nil
	}
	var perm []int64
	for _, c := range to {
		perm = append(perm, int64(strings.IndexRune(from, c)))
	}
	if slices.Contains(perm, -1) {
		return nil, fmt.Errorf("letters %s are not those of %s", to, from)
	}
	t, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(before.Name() + suffix), Op: "Transpose", Inputs: []*onnx.Value{v},
		Outputs: []string{g.FreshName(before.Name() + suffix + "/transposed")}, Attrs: []onnx.Attr{onnx.IntsAttr("perm", perm)},
	}, before)
	if err != nil {
		return nil, err
	}
	t.Output(0).SetType(v.DType(), nil)
	return t.Output(0), nil
}
