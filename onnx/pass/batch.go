package pass

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// FoldBatch removes shape arithmetic that depends on the batch: a Reshape whose target shape is computed from the
// batch (Shape -> Gather -> Concat -> Reshape) gets a constant target with -1 instead, and values that turn out not to
// depend on the batch become constants. Shapes have to be inferred before it runs.
type FoldBatch struct {
	always
	work *budget // see FoldConstants
}

// Name names the pass.
func (FoldBatch) Name() string { return "batch shapes" }

// probes are the batch sizes that shape arithmetic is evaluated for. An element that is equal for all three does not
// depend on the batch; one that equals the probe each time is the batch. 1 exposes broadcasting rules, 2 parity, and
// the large prime tells the batch from every other number in the graph.
const probes = 3

func probe(i int) int { return [probes]int{1, 2, 1000003}[i] }

// probed is a value at each probe.
type probed [probes]*tensor.Tensor

// Apply evaluates in document order.
func (p FoldBatch) Apply(m *onnx.Model) (bool, error) {
	f := batchFolder{model: m, work: p.work.begin(m), values: map[*onnx.Value]probed{}, root: map[*onnx.Value]*onnx.Value{}}
	modified := false
	for _, n := range m.Graph.Nodes() {
		changed, err := f.visit(n)
		if err != nil {
			return modified, err
		}
		f.trace(n)
		modified = modified || changed
	}
	return modified, nil
}

type batchFolder struct {
	model  *onnx.Model
	work   *budget
	values map[*onnx.Value]probed
	root   map[*onnx.Value]*onnx.Value // graph input whose batch is the leading dimension
}

// trace records whose batch the leading dimension of the output is, for operators that keep it.
func (f *batchFolder) trace(n *onnx.Node) {
	if n.Output(0) == nil {
		return
	}
	for _, v := range n.Inputs() {
		if v == nil {
			continue
		}
		if r := f.batchOf(v); r != nil && keepsBatch(n) {
			f.root[n.Output(0)] = r
			return
		}
	}
}

// batchOf is the graph input whose unknown leading dimension is also that of v, or nil.
func (f *batchFolder) batchOf(v *onnx.Value) *onnx.Value {
	s, known := v.Shape()
	if !known || len(s) == 0 || s[0] >= 0 {
		return nil
	}
	if v.IsInput() {
		return v
	}
	return f.root[v]
}

// keepsBatch reports whether an operator passes the leading dimension of its input on.
func keepsBatch(n *onnx.Node) bool {
	switch n.Op() {
	case "Conv", "BatchNormalization", "Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu",
		"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Identity", "Dropout", "Cast", "Softmax",
		"Add", "Sub", "Mul", "Div", "InstanceNormalization", "LRN":
		return true
	case "Flatten":
		return n.Int("axis", 1) == 1
	case "Gemm":
		return n.Int("transA", 0) == 0
	case "Concat":
		return n.Int("axis", 0) > 0
	case "Transpose":
		p := n.Ints("perm")
		return len(p) > 0 && p[0] == 0
	case "Pad":
		p := constInts(n.Input(1))
		return len(p) > 0 && n.Input(3) == nil && p[0] == 0 && p[len(p)/2] == 0
	case "Slice":
		axes := constInts(n.Input(3))
		return axes != nil && !slices.ContainsFunc(axes, func(a int64) bool { return a <= 0 })
	case "ReduceMean", "Squeeze", "Unsqueeze":
		axes := n.Ints("axes")
		if axes == nil {
			axes = constInts(n.Input(1))
		}
		return axes != nil && !slices.ContainsFunc(axes, func(a int64) bool { return a <= 0 })
	case "Reshape":
		return reshapeKeepsBatch(n)
	default:
		return false
	}
}

// reshapeKeepsBatch reports whether a constant target copies the leading dimension, or infers it while the elements of
// one picture stay together.
func reshapeKeepsBatch(n *onnx.Node) bool {
	target := constInts(n.Input(1))
	if len(target) == 0 || n.Input(0) == nil {
		return false
	}
	if target[0] == 0 && n.Int("allowzero", 0) == 0 {
		return true
	}
	s, known := n.Input(0).Shape()
	rest := int64(1)
	for _, d := range target[1:] {
		rest *= d
	}
	return target[0] == -1 && known && len(s) > 0 && rest > 0 && rest == int64(s[1:].Numel())
}

// constInts reads a constant vector of integers, nil where it is not one.
func constInts(v *onnx.Value) []int64 {
	if v == nil || v.Const() == nil {
		return nil
	}
	x, err := tensor.Ints(v.Const())
	if err != nil {
		return nil
	}
	return x
}

// visit evaluates one node at all probes and rewrites it where that settles it.
func (f *batchFolder) visit(n *onnx.Node) (bool, error) {
	if n.Op() == "Reshape" {
		if p, ok := f.values[n.Input(1)]; ok && n.Input(1) != nil {
			return f.reshape(n, p)
		}
	}
	if n.Op() == "Expand" {
		if p, ok := f.values[n.Input(1)]; ok && n.Input(1) != nil {
			return f.expand(n, p)
		}
	}
	if !single(n) || n.Output(0).IsOutput() || n.HasSubgraph() {
		return false, nil
	}
	p, ok, err := f.evaluate(n)
	if err != nil || !ok {
		return false, err
	}
	if same(p) {
		return true, replace(f.model.Graph, n, p[0])
	}
	f.values[n.Output(0)] = p
	return false, nil
}

// evaluate runs the evaluator at every probe; false where an input is no shape arithmetic.
func (f *batchFolder) evaluate(n *onnx.Node) (probed, bool, error) {
	var out probed
	dependent := false
	for i := range out {
		in := make([]*tensor.Tensor, len(n.Inputs()))
		for k, v := range n.Inputs() {
			if v == nil {
				continue
			}
			if p, ok := f.values[v]; ok {
				in[k], dependent = p[i], true
			} else if in[k] = v.Const(); in[k] == nil {
				in[k] = f.shaped(n, v, probe(i))
				dependent = true
			}
			if in[k] == nil {
				return out, false, nil
			}
		}
		if !dependent || !f.work.spend(in) { // the former is FoldConstants' business
			return out, false, nil
		}
		t, err := evaluate(n, f.model.Opset(""), in)
		if errors.Is(err, errNoEval) || (err != nil && i > 0) {
			return out, false, nil
		}
		if err != nil {
			return out, false, err
		}
		out[i] = t[0]
		f.work.spend(t)
	}
	return out, true, nil
}

// shaped stands in for the operand of Shape at one batch size.
func (f *batchFolder) shaped(n *onnx.Node, v *onnx.Value, batch int) *tensor.Tensor {
	if n.Op() != "Shape" || f.batchOf(v) != f.main() || f.main() == nil {
		return nil
	}
	s, _ := v.Shape()
	if s = s.WithBatch(batch); s.Numel() < 0 {
		return nil
	}
	return &tensor.Tensor{Shape: s}
}

// main is the input whose batch the probes stand for: the first with an unknown leading dimension.
func (f *batchFolder) main() *onnx.Value {
	for _, v := range f.model.Graph.Inputs() {
		if s, known := v.Shape(); known && len(s) > 0 && s[0] < 0 {
			return v
		}
	}
	return nil
}

func same(p probed) bool {
	for _, t := range p[1:] {
		if t.DType != p[0].DType || !t.Shape.Equal(p[0].Shape) || !slices.Equal(t.Raw, p[0].Raw) {
			return false
		}
	}
	return true
}

// reshape gives a Reshape a constant target. With one element that depends on the batch, -1 in its place is exact
// whatever it is, as the element count decides it. Where the target has a -1 already and starts with the batch of the
// reshaped value itself, the roles are swapped: -1 for the batch, the count per picture for the other.
func (f *batchFolder) reshape(n *onnx.Node, p probed) (bool, error) {
	var v [probes][]int64
	for i := range v {
		x, err := tensor.Ints(p[i])
		if err != nil || len(x) != p[0].Shape.Numel() {
			return false, nil //nolint:nilerr // not a shape: the node stays, and validation is not this pass's business
		}
		v[i] = x
	}
	target := slices.Clone(v[0])
	var open, dependent []int
	for k := range target {
		switch {
		case v[0][k] != v[1][k] || v[0][k] != v[2][k]:
			dependent = append(dependent, k)
			target[k] = -1
		case target[k] == -1:
			open = append(open, k)
		case target[k] == 0:
			return false, nil // a copied or an empty dimension: leave it
		}
	}
	switch {
	case len(dependent) != 1 || len(open) > 1:
		return false, nil
	case len(open) == 1:
		rest, ok := f.restPerPicture(n.Input(0), v, dependent[0], open[0])
		if !ok {
			return false, nil
		}
		target[open[0]] = rest
	}
	g := f.model.Graph
	c, err := g.AddInitializer(g.FreshName(n.Input(1).Name()+"/static"), tensor.From(tensor.Shape{len(target)}, target))
	if err != nil {
		return false, fmt.Errorf("reshape %q: %w", n.Name(), err)
	}
	n.SetInput(1, c)
	return true, nil
}

// expand repeats a constant for every picture, such as the class token of a transformer, by other operators: shapes of
// theirs follow without arithmetic.
func (f *batchFolder) expand(n *onnx.Node, p probed) (bool, error) {
	in := f.main()
	if in == nil || n.Input(0) == nil || n.Input(0).Const() == nil || in.DType() != tensor.Float32 {
		return false, nil
	}
	x := n.Input(0).Const()
	var one tensor.Shape
	for i, to := range p {
		s, err := expanded(x.Shape, to)
		if err != nil || len(s) == 0 || s[0] != probe(i) || i > 0 && !s[1:].Equal(one[1:]) {
			return false, nil //nolint:nilerr // another kind of Expand: the node stays
		}
		if i == 0 {
			one = s
		}
	}
	t, err := expand(x, one)
	if err != nil || !f.work.spend([]*tensor.Tensor{t}) {
		return false, nil //nolint:nilerr // too large to be written out
	}
	g := f.model.Graph
	c, err := g.AddInitializer(g.FreshName(n.Input(0).Name()+"/one"), t)
	if err != nil {
		return false, fmt.Errorf("expand %q: %w", n.Name(), err)
	}
	v, err := perPicture(g, in, c, n)
	if err != nil {
		return false, fmt.Errorf("expand %q: %w", n.Name(), err)
	}
	return true, takeOver(g, n, v)
}

// restPerPicture is what -1 at position open stands for if position at is the batch of x.
func (f *batchFolder) restPerPicture(x *onnx.Value, v [probes][]int64, at, open int) (int64, bool) {
	for i := range v {
		if v[i][at] != int64(probe(i)) {
			return 0, false
		}
	}
	if x == nil || f.main() == nil || f.batchOf(x) != f.main() {
		return 0, false
	}
	s, _ := x.Shape()
	rest := int64(s[1:].Numel())
	for k, d := range v[0] {
		if k == at || k == open {
			continue
		}
		if d <= 0 || rest%d != 0 {
			return 0, false
		}
		rest /= d
	}
	return rest, rest > 0
}
