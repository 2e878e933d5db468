package pass

import (
	"errors"
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
		t, err := evaluate(n, f.model.Opset(""), in, f.work.room())
		if errors.Is(err, errNoEval) || (err != nil && i > 0) {
			return out, false, nil
		}
		if err != nil {
			return out, false, err
		}
		if !f.work.spend(t) {
			return out, false, nil
		}
		out[i] = t[0]
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
