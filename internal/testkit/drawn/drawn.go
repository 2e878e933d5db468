// Package drawn draws small random networks for tests: every operator that the engine knows between layers, with all
// its attributes, in several operator sets. It knows nothing of what becomes of them.
package drawn

import (
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
)

// Network is what Draw draws.
type Network struct {
	Model *onnx.Model
	Input tensor.Shape // of one sample, without the batch
	Bits  int          // a width to quantize it with
	// Crosses says that it computes across the samples of a batch, so that it may not even be computable for several.
	Crosses bool
}

// InputName is what the input of a drawn network is called.
const InputName = "x"

// Draw makes a network of a script: every choice takes a byte, and what follows from the script by chance comes after
// its end. Equal scripts give equal networks. It is an error if shapes do not fit, which no script should bring about.
func Draw(script []byte) (*Network, error) {
	d := &drawer{dice: newDice(script)}
	opset := pick[int64](d.dice, 17, 13, 18, 11, 21, 20, 9, 15, 19, 12)
	d.m = onnx.New(opset)
	d.opset = opset
	n := &Network{Model: d.m, Bits: pick(d.dice, 8, 4, 8, 3, 5, 2, 6)}
	err := d.network(n)
	n.Crosses = d.crosses
	if err == nil {
		err = d.err
	}
	if err != nil {
		return nil, fmt.Errorf("draw a network: %w\n%s", err, Listing(d.m))
	}
	return n, nil
}

// maxElements bounds a tensor of a sample, so that a network takes a moment.
const maxElements = 1024

// drawer is the state of one Draw.
type drawer struct {
	*dice
	m       *onnx.Model
	opset   int64
	names   int
	pool    []*onnx.Value // values that may be read once more
	crosses bool
	err     error // the first; what is drawn after it does not count
}

// network draws the network from input to output.
func (d *drawer) network(n *Network) error {
	n.Input = pick(d.dice, tensor.Shape{3, 8, 8}, tensor.Shape{4, 6, 5}, tensor.Shape{2, 7, 7}, tensor.Shape{5, 8}, tensor.Shape{12})
	x, err := d.m.Graph.AddInput(InputName, tensor.Float32, append(tensor.Shape{-1}, n.Input...))
	if err != nil {
		return err
	}
	v := x
	if d.one(4) { // something in front of the first layer
		v = d.step(v)
	}
	v = d.layer(v)
	for range 1 + d.below(7) {
		if d.one(4) {
			v = d.layer(v)
			continue
		}
		v = d.step(v)
	}
	if !d.one(6) { // a layer at the end, as most have
		v = d.layer(v)
	}
	if d.err != nil {
		return d.err
	}
	if v.IsInput() {
		return errors.New("nothing was drawn")
	}
	return d.m.Graph.AddOutput(v)
}

// step is one operator behind v, or a few that belong together; v itself where none was drawn that fits.
func (d *drawer) step(v *onnx.Value) *onnx.Value {
	for range 8 {
		out := d.operator(v)
		if d.err != nil {
			return v
		}
		if out != nil && len(shapeOf(out)) > 0 && d.fits(out) {
			d.pool = append(d.pool, out)
			return out
		}
	}
	return v
}

// operator draws one operator behind v.
func (d *drawer) operator(v *onnx.Value) *onnx.Value {
	if d.one(60) {
		d.crosses = true
		return d.crossing(v)
	}
	kinds := []func(*onnx.Value) *onnx.Value{
		d.activation, d.activation, d.withConstant, d.withConstant, d.withValue, d.withValue, d.window, d.window, d.pad, d.resize,
		d.move, d.move, d.rows, d.cut, d.reduce, d.norm, d.softmax, d.product, d.power,
	}
	return pick(d.dice, kinds...)(v)
}

// fits reports whether a value is small enough to go on with.
func (d *drawer) fits(v *onnx.Value) bool {
	s := shapeOf(v)
	n := s[min(1, len(s)):].Numel()
	return n > 0 && n <= maxElements
}

// node adds an operator with one output.
func (d *drawer) node(op string, in []*onnx.Value, attrs ...onnx.Attr) *onnx.Value {
	out := d.nodes(op, in, 1, attrs...)
	if out == nil {
		return nil
	}
	return out[0]
}

// nodes adds an operator and works out the shapes of its outputs.
func (d *drawer) nodes(op string, in []*onnx.Value, outputs int, attrs ...onnx.Attr) []*onnx.Value {
	if d.err != nil {
		return nil
	}
	d.names++
	spec := onnx.NodeSpec{Name: fmt.Sprintf("%s_%d", op, d.names), Op: op, Inputs: in, Attrs: attrs}
	for i := range outputs {
		spec.Outputs = append(spec.Outputs, fmt.Sprintf("v%d_%d", d.names, i))
	}
	n, err := d.m.Graph.AddNode(spec, nil)
	if err == nil {
		err = shape.Infer(d.m.Graph)
	}
	if err != nil {
		d.err = err
		return nil
	}
	return n.Outputs()
}

func (d *drawer) constant(t *tensor.Tensor) *onnx.Value {
	d.names++
	v, err := d.m.Graph.AddInitializer(fmt.Sprintf("c%d", d.names), t)
	if err != nil && d.err == nil {
		d.err = err
	}
	return v
}

func (d *drawer) ints(v ...int64) *onnx.Value {
	return d.constant(tensor.From(tensor.Shape{len(v)}, v))
}

// floats is a constant of random numbers around 0.
func (d *drawer) floats(scale float64, s ...int) *onnx.Value {
	x := make([]float32, tensor.Shape(s).Numel())
	for i := range x {
		x[i] = float32(scale * d.normal())
	}
	return d.constant(tensor.From(tensor.Shape(s), x))
}

func (d *drawer) scalar(v float32) *onnx.Value {
	if d.one(3) {
		return d.constant(tensor.From(tensor.Shape{1}, []float32{v}))
	}
	return d.constant(tensor.Scalar(v))
}

// shapeOf is the shape of a value with the batch in front.
func shapeOf(v *onnx.Value) tensor.Shape {
	s, _ := v.Shape()
	return s
}

// Listing is a model as text, a node a line.
func Listing(m *onnx.Model) string {
	text := fmt.Sprintf("opset %d\n", m.Opset(""))
	for _, n := range m.Graph.Nodes() {
		text += n.Name() + "("
		for i, v := range n.Inputs() {
			if i > 0 {
				text += ", "
			}
			text += describe(v)
		}
		text += ")"
		for _, a := range n.Attrs() {
			text += " " + attribute(n, a)
		}
		text += " ->"
		for _, v := range n.Outputs() {
			text += " " + describe(v)
		}
		text += "\n"
	}
	return text
}

func attribute(n *onnx.Node, a onnx.Attr) string {
	switch a.Kind() {
	case "INT":
		return fmt.Sprint(a.Name(), "=", n.Int(a.Name(), 0))
	case "INTS":
		return fmt.Sprint(a.Name(), "=", n.Ints(a.Name()))
	case "FLOAT":
		return fmt.Sprint(a.Name(), "=", n.Float(a.Name(), 0))
	case "FLOATS":
		return fmt.Sprint(a.Name(), "=", n.Floats(a.Name()))
	case "STRING":
		return a.Name() + "=" + n.Str(a.Name(), "")
	}
	return a.Name()
}

func describe(v *onnx.Value) string {
	if v == nil {
		return "-"
	}
	text := v.Name() + " " + shapeOf(v).String()
	t := v.Const()
	if t == nil || t.Shape.Numel() > 8 {
		return text
	}
	if f, err := tensor.Ints(t); err == nil {
		return fmt.Sprint(text, f)
	}
	f, _ := tensor.Floats(t)
	return fmt.Sprint(text, f)
}
