package integer

import (
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// Build prepares the network that a policy picks from a supernet. The model is the one that the plan was made from.
func Build(m *onnx.Model, plan *quantize.Plan, s *quantize.Supernet, policy quantize.Policy) (*Network, error) {
	return BuildWithOps(m, plan, s, policy, nil)
}

// BuildWithOps is Build with a source of those float operators that this package does not compute itself.
func BuildWithOps(m *onnx.Model, plan *quantize.Plan, s *quantize.Supernet, policy quantize.Policy, other Operators) (*Network, error) {
	if m == nil || m.Graph == nil || plan == nil || s == nil {
		return nil, errors.New("build integer network: model, plan or supernet is missing")
	}
	if err := plan.Validate(policy); err != nil {
		return nil, fmt.Errorf("build integer network: %w", err)
	}
	b := &builder{
		graph: m.Graph, plan: plan, supernet: s, policy: policy, net: &Network{}, other: other,
		raw: map[*onnx.Value]int{}, unsteady: map[*onnx.Value]bool{}, lead: map[*onnx.Value]int{}, dequantized: map[*onnx.Value]int{}, coded: map[*onnx.Value]coded{},
		layer: map[string]int{}, norm: map[string]bool{}, root: map[string]int{}, requantized: map[string]coded{},
	}
	for i := range plan.Layers {
		b.layer[plan.Layers[i].Node] = i
		b.norm[plan.Layers[i].Norm] = true
	}
	for i := range plan.Points {
		if !plan.Points[i].Off {
			b.root[plan.Points[i].Tensor] = i
		}
	}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("build integer network: %w", err)
	}
	return b.net, nil
}

// coded is a slot of codes with what they stand for.
type coded struct {
	slot  int
	grid  quantize.Grid
	shape tensor.Shape // of one sample, a leading 1 included
}

// builder is the state of one Build.
type builder struct {
	graph    *onnx.Graph
	plan     *quantize.Plan
	supernet *quantize.Supernet
	policy   quantize.Policy
	net      *Network
	other    Operators

	raw         map[*onnx.Value]int  // float slots as the operators write them
	lead        map[*onnx.Value]int  // see leads
	unsteady    map[*onnx.Value]bool // computed behind a pole: see Network.Unsteady
	dequantized map[*onnx.Value]int  // float slots that hold what codes stand for
	coded       map[*onnx.Value]coded
	requantized map[string]coded // by CodesKey

	layer map[string]int // node to plan.Layers
	norm  map[string]bool
	root  map[string]int // value to plan.Points
}

func (b *builder) build() error {
	inputs, outputs := b.graph.Inputs(), b.graph.Outputs()
	if len(inputs) != 1 || len(outputs) < 1 {
		return fmt.Errorf("the model has %d inputs and %d outputs", len(inputs), len(outputs))
	}
	shape, err := b.sample(inputs[0])
	if err != nil {
		return err
	}
	b.net.inputShape = shape
	b.net.input = b.floatSlot(shape)
	b.raw[inputs[0]] = b.net.input
	if err := b.quantizeRaw(inputs[0]); err != nil {
		return err
	}
	for _, n := range b.graph.Nodes() { // all of them first: a layer writes the codes of a Relu behind it
		if err := b.leads(n); err != nil {
			return fmt.Errorf("node %q: %w", n.Name(), err)
		}
	}
	for _, n := range b.graph.Nodes() {
		if err := b.node(n); err != nil {
			return fmt.Errorf("node %q: %w", n.Name(), err)
		}
	}
	for i, v := range outputs {
		if i > 0 && v.DType() != tensor.Float32 {
			b.net.uncomputed = append(b.net.uncomputed, v.Name())
			continue
		}
		slot, err := b.output(v)
		if err != nil {
			return err
		}
		if _, raw := b.raw[v]; raw && b.unsteady[v] {
			b.net.unsteady = append(b.net.unsteady, v.Name())
		}
		b.net.outputs = append(b.net.outputs, output{v.Name(), slot})
	}
	return nil
}

// output is the float slot of a graph output: what its operator wrote, quantized or not.
func (b *builder) output(v *onnx.Value) (int, error) {
	if slot, ok := b.raw[v]; ok {
		return slot, nil
	}
	return b.float(v)
}

// leads notes how many entries of the leading axis of what a node computes belong to one sample: one, but as many as it
// has rows where a Reshape has put samples and rows in one axis.
func (b *builder) leads(n *onnx.Node) error {
	lead := 1
	for _, v := range n.Inputs() {
		if v != nil {
			lead = max(lead, b.lead[v])
		}
	}
	if x, out := n.Input(0), n.Output(0); n.Traits().Has(op.InOrder) && x != nil && out != nil && x.Const() == nil {
		whole, err := b.sample(x)
		if err != nil {
			return err
		}
		if s, known := out.Shape(); known && len(s) > 0 {
			rest := s[1:].Numel()
			if rest < 1 || whole.Numel()%rest != 0 {
				return fmt.Errorf("%s does not keep the samples of a batch apart: %s of one of them becomes %s", n.Op(), whole, s)
			}
			lead = whole.Numel() / rest
		}
	}
	for _, v := range n.Outputs() {
		if v != nil && lead != 1 {
			b.lead[v] = lead
		}
	}
	return nil
}

// sample is the shape of a value for one sample.
func (b *builder) sample(v *onnx.Value) (tensor.Shape, error) {
	s, known := v.Shape()
	if !known {
		return nil, fmt.Errorf("shape of %q is unknown", v.Name())
	}
	s = s.Clone()
	if len(s) > 0 {
		s[0] = max(b.lead[v], 1)
	}
	if s.Numel() < 0 {
		return nil, fmt.Errorf("shape %s of %q has unknown dimensions besides the batch", s, v.Name())
	}
	return s, nil
}

func (b *builder) floatSlot(s tensor.Shape) int {
	b.net.floats = append(b.net.floats, s.Numel())
	return len(b.net.floats) - 1
}

func (b *builder) codeSlot(s tensor.Shape, g quantize.Grid) coded {
	b.net.codes = append(b.net.codes, s.Numel())
	return coded{slot: len(b.net.codes) - 1, grid: g, shape: s}
}

func (b *builder) emit(s step) { b.net.steps = append(b.net.steps, s) }

// node compiles one node of the document.
func (b *builder) node(n *onnx.Node) error {
	if b.norm[n.Name()] && n.Op() == "BatchNormalization" {
		return nil // part of its layer
	}
	if i, ok := b.layer[n.Name()]; ok {
		return b.layerNode(n, i)
	}
	if v := n.Input(0); v != nil && quantize.IsView(n) {
		if c, ok := b.coded[v]; ok {
			return b.view(n, c)
		}
	}
	out := n.Output(0)
	if i, ok := b.root[out.Name()]; ok && quantize.Source(out) != out {
		if _, done := b.coded[out]; done {
			return nil // its operator wrote these codes at once
		}
		return b.absorbed(n, i)
	}
	compiled, err := b.integerNode(n)
	if err != nil || compiled {
		return err
	}
	return b.floatNode(n)
}

// absorbed compiles a Relu or Clip that is part of the quantizer behind it, where the operator before could not write
// codes.
func (b *builder) absorbed(n *onnx.Node, i int) error {
	source, out := n.Input(0), n.Output(0)
	if out.IsOutput() {
		if err := b.floatValue(n); err != nil {
			return err
		}
	}
	target, err := b.rootSlot(i, out)
	if err != nil {
		return err
	}
	if c, ok := b.coded[source]; ok {
		b.convert(c, target)
	} else {
		slot, ok := b.raw[source]
		if !ok {
			return fmt.Errorf("value %q is not computed", source.Name())
		}
		if b.unsteady[source] {
			b.net.unsteady = append(b.net.unsteady, out.Name())
		}
		b.quantize(slot, target)
	}
	return nil
}

// target is the root that a runtime makes codes of in the kernel that computes v: v itself or, where a Relu or Clip
// that the grid makes redundant alone reads v, what that produces. ok is false where v stays float.
func (b *builder) target(v *onnx.Value) (root *onnx.Value, point int, ok bool) {
	if v.IsOutput() {
		return nil, 0, false
	}
	if i, is := b.root[v.Name()]; is {
		return v, i, true
	}
	uses := v.Uses()
	if len(uses) != 1 || uses[0].Index != 0 {
		return nil, 0, false
	}
	out := uses[0].Node.Output(0)
	i, is := b.root[out.Name()]
	if !is || out.IsOutput() || quantize.Source(out) != v {
		return nil, 0, false
	}
	return out, i, true
}

// rootSlot makes the slot of point i, whose codes Run returns.
func (b *builder) rootSlot(i int, root *onnx.Value) (coded, error) {
	grid, err := b.plan.Root(b.supernet, b.policy, i)
	if err != nil {
		return coded{}, err
	}
	shape, err := b.sample(root)
	if err != nil {
		return coded{}, err
	}
	c := b.codeSlot(shape, grid)
	b.coded[root] = c
	b.net.taps = append(b.net.taps, tap{root.Name(), c.slot, shape})
	return c, nil
}

// quantizeRaw puts the quantizer on a value that was computed in float, if it is a root.
func (b *builder) quantizeRaw(v *onnx.Value) error {
	i, ok := b.root[v.Name()]
	if !ok {
		return nil
	}
	c, err := b.rootSlot(i, v)
	if err != nil {
		return err
	}
	if b.unsteady[v] {
		b.net.unsteady = append(b.net.unsteady, v.Name())
	}
	b.quantize(b.raw[v], c)
	return nil
}

// quantize emits QuantizeLinear and the Clip after it.
func (b *builder) quantize(from int, to coded) {
	b.emit(func(w *worker) {
		y := w.codes[to.slot]
		for i, v := range w.floats[from] {
			y[i] = to.grid.Quantize(v)
		}
	})
}

// convert emits the step from one grid to another.
func (b *builder) convert(from, to coded) {
	table := from.grid.Convert(to.grid)
	b.emit(func(w *worker) {
		y := w.codes[to.slot]
		for i, c := range w.codes[from.slot] {
			y[i] = table[c]
		}
	})
}

// float is the slot of a value as operators that compute in float read it: what its codes stand for, where it has any.
func (b *builder) float(v *onnx.Value) (int, error) {
	c, ok := b.coded[v]
	if !ok {
		if slot, ok := b.raw[v]; ok {
			return slot, nil
		}
		return 0, fmt.Errorf("value %q is not computed", v.Name())
	}
	if slot, ok := b.dequantized[v]; ok {
		return slot, nil
	}
	slot := b.floatSlot(c.shape)
	b.dequantized[v] = slot
	b.emit(func(w *worker) {
		y := w.floats[slot]
		for i, code := range w.codes[c.slot] {
			y[i] = c.grid.Value(code)
		}
	})
	return slot, nil
}

// inexact notes that a runtime computes a node in float, and whether small differences in what it reads may be large in
// what it gives. Codes end that: what stands behind them is compared for the same codes.
func (b *builder) inexact(n *onnx.Node) {
	b.net.inexact = append(b.net.inexact, n.Name())
	unsteady := quantize.IsPole(n)
	for _, v := range n.Inputs() {
		if v == nil {
			continue
		}
		_, codes := b.coded[v]
		unsteady = unsteady || b.unsteady[v] && !codes
	}
	for _, v := range n.Outputs() {
		if v != nil && unsteady {
			b.unsteady[v] = true
		}
	}
}
