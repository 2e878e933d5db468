package export

import (
	"fmt"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// Standard is what an exported document means, in operators of ONNX alone, so that onnxruntime can compute it: Quant
// nodes and encodings become QuantizeLinear, Clip and DequantizeLinear, and a batch that was fixed is free again. It
// reads nothing but the document: what a Quant node or an encoding says counts, not what the policy meant. A document
// in standard operators, as one without policy and profile is, is returned as it is.
func Standard(m *onnx.Model) (*onnx.Model, error) {
	_, policy := m.Metadata(metadata.PolicyKey)
	if _, profile := m.Metadata(metadata.ProfileKey); !policy && !profile {
		return m, nil
	}
	d, err := metadata.Describe(m)
	if err != nil {
		return nil, err
	}
	p, err := ProfileOf(d.Profile)
	if err != nil || p.lower == nil {
		return m, nil //nolint:nilerr // a document of an unknown profile is in standard operators as far as anybody knows
	}
	l := &lowering{codes: map[string]string{}, model: m.Clone()}
	l.graph = l.model.Graph
	if err := p.lower(l); err != nil {
		return nil, fmt.Errorf("rewrite for onnxruntime: %w", err)
	}
	for i, t := range d.Tensors {
		name, ok := l.codes[t.Codes]
		if !ok {
			return nil, fmt.Errorf("rewrite for onnxruntime: tensor %q has no quantizer", t.Tensor)
		}
		d.Tensors[i].Codes = name
	}
	if err := d.Write(l.model); err != nil {
		return nil, fmt.Errorf("rewrite for onnxruntime: %w", err)
	}
	l.freeBatch()
	if err := l.graph.Sort(); err != nil {
		return nil, err
	}
	return l.model, l.model.Validate()
}

// freeBatch undoes exporter.batch.
func (l *lowering) freeBatch() {
	for _, v := range append(l.graph.Inputs(), l.graph.Outputs()...) {
		if s, ok := v.Shape(); ok && len(s) > 0 {
			s[0] = -1
			v.SetType(v.DType(), s)
		}
	}
	for _, n := range l.graph.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && !v.IsOutput() {
				v.SetType(v.DType(), nil)
			}
		}
	}
}

// quants replaces Quant nodes.
func (l *lowering) quants() error {
	for _, n := range l.graph.Nodes() {
		if !qdq.IsQuant(n) {
			continue
		}
		scale, bits := qdq.Floats(n.Input(1)), qdq.Floats(n.Input(3))
		if len(scale) == 0 || len(bits) != 1 || bits[0] < 2 || bits[0] > 8 {
			return fmt.Errorf("node %q: scale or width cannot be read", n.Name())
		}
		b, signed := int(bits[0]), n.Int("signed", 1) == 1
		x, out := n.Input(0), n.Output(0)
		name := out.Name()
		var y *onnx.Value
		var err error
		if t := x.Const(); t != nil {
			y, err = l.constant(name+"/value", x, scale, n.Input(1).Const().Shape, b)
		} else {
			y, err = l.activation(x, name, scale, b, placed(b, signed))
		}
		if err != nil {
			return fmt.Errorf("node %q: %w", n.Name(), err)
		}
		if err := l.graph.ReplaceUses(out, y); err != nil {
			return err
		}
		if err := l.graph.Remove(n); err != nil {
			return err
		}
	}
	return nil
}

// encodings puts the quantizers in that the encodings describe.
func (l *lowering) encodings() error {
	text, ok := l.model.Metadata(metadata.EncodingsKey)
	if !ok {
		return fmt.Errorf("the model has no encodings (metadata %s)", metadata.EncodingsKey)
	}
	x, err := metadata.ReadEncodings([]byte(text))
	if err != nil {
		return err
	}
	for _, p := range x.Params {
		v := l.graph.Value(p.Name)
		if v == nil || v.Const() == nil {
			return fmt.Errorf("encoding of %q: the model has no such constant", p.Name)
		}
		shape := channelShape(v, len(p.Scale))
		y, err := l.constant(p.Name+"/value", v, p.Scale, shape, p.Bits)
		if err != nil {
			return fmt.Errorf("encoding of %q: %w", p.Name, err)
		}
		if err := l.graph.ReplaceUses(v, y); err != nil {
			return err
		}
	}
	for _, a := range x.Activations {
		v := l.graph.Value(a.Name)
		if v == nil || a.Bits > 8 {
			return fmt.Errorf("encoding of %q: %d bits, or the model has no such tensor", a.Name, a.Bits)
		}
		uses := v.Uses()
		y, err := l.activation(v, a.Name, a.Scale, a.Bits, placeOf(a))
		if err != nil {
			return fmt.Errorf("encoding of %q: %w", a.Name, err)
		}
		for _, u := range uses {
			u.Node.SetInput(u.Index, y)
		}
	}
	return nil
}

// channelShape is the shape of a scale per output channel of weights, which their one reader tells the axis of.
func channelShape(v *onnx.Value, channels int) tensor.Shape {
	shape := make(tensor.Shape, len(v.Const().Shape))
	for d := range shape {
		shape[d] = 1
	}
	axis := 0
	if uses := v.Uses(); len(uses) > 0 {
		axis = qdq.OutputAxis(uses[0].Node)
	}
	shape[axis] = channels
	return shape
}
