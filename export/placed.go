package export

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// site is where dialects whose operators all read float values put one quantizer.
type site struct {
	grid   quantize.Grid
	bits   int
	signed bool        // codes are those of a signed grid, without a zero point of their own
	root   *onnx.Value // value that the quantizer belongs to
	source *onnx.Value // what it reads once operators that it makes redundant are left out; root where there are none
	node   string      // names of new nodes begin with it
	value  string      // names of new values begin with it
}

// levels are the lowest and highest code of the width, less the zero point.
func (s site) levels() (lo, hi int) {
	lo, hi = quantize.Levels(s.bits, s.signed)
	if !s.signed {
		lo, hi = lo-int(s.grid.Zero), hi-int(s.grid.Zero)
	}
	return lo, hi
}

// signedCodes reports whether a point's codes are signed. Asymmetric ones begin at 0, as unsigned ones do.
func signedCodes(t *quantize.Point) bool { return t.Signed && !t.Asymmetric }

// placer writes a quantizer. It returns the float value on the grid, and the value that verification takes codes from.
type placer func(e *exporter, s site) (y, codes *onnx.Value, err error)

// place quantizes all layers and points in a dialect of float values on grids.
func (e *exporter) place(put placer) error {
	if err := e.layers(); err != nil {
		return err
	}
	for i := range e.plan.Points {
		if e.plan.Points[i].Off {
			continue
		}
		if err := e.placeRoot(i, put); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) placeRoot(i int, put placer) error {
	t := &e.plan.Points[i]
	root, grid, err := e.root(i)
	if err != nil {
		return err
	}
	uses := root.Uses()
	s := site{grid, e.rootBits(i), signedCodes(t), root, quantize.Source(root), origin(root), t.Tensor}
	y, codes, err := put(e, s)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Tensor, err)
	}
	e.record(t.Tensor, codes, s.node, s.bits, t, grid, t.Stream)
	return e.hand(i, put, t.Tensor, y, uses)
}

// hand gives a value on a grid, called name in the float document, to what reads the value. Views of it stay float.
func (e *exporter) hand(i int, put placer, name string, y *onnx.Value, uses []onnx.Use) error {
	for _, u := range uses {
		if u.Index < 0 {
			return fmt.Errorf("a subgraph of %s reads tensor %q", u.Node, name)
		}
		v := y
		if layer, ok := e.layer[u.Node.Name()]; ok && u.Index == 0 {
			var err error
			if v, err = e.narrowed(layer, put, name, y); err != nil {
				return err
			}
		}
		if v != e.graph.Value(name) {
			u.Node.SetInput(u.Index, v)
		}
		if u.Index == 0 && quantize.IsView(u.Node) {
			out := u.Node.Output(0)
			if err := e.hand(i, put, out.Name(), out, out.Uses()); err != nil {
				return err
			}
		}
	}
	return nil
}

// narrowed is what a layer reads of a value on a stream's grid: the value, or one on the layer's own grid.
func (e *exporter) narrowed(layer int, put placer, name string, y *onnx.Value) (*onnx.Value, error) {
	grid, stream, err := e.plan.Read(e.supernet, e.policy, layer)
	if err != nil {
		return nil, err
	}
	l := &e.plan.Layers[layer]
	t := &e.plan.Points[l.Point]
	if !t.Stream || stream {
		return y, nil
	}
	_, a := e.plan.Bits(e.policy, layer)
	key := quantize.CodesKey(name, a, false)
	if v := e.requantized[key]; v != nil {
		return v, nil
	}
	v, codes, err := put(e, site{grid, a, signedCodes(t), y, y, key, key})
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", key, err)
	}
	e.requantized[key] = v
	e.record(key, codes, l.Node, a, t, grid, false)
	return v, nil
}

// bounded adds a Clip to the values of the grid's codes, or less where the container that comes after does it: nothing
// where it holds lo..hi alone, Relu where it holds codes below zero only in excess. The bounds are code*scale in
// float32, which division by the scale takes back to the code exactly.
func (e *exporter) bounded(s site, lo, hi int) (*onnx.Value, error) {
	g := s.grid
	first, last := int(g.Lo)-int(g.Zero), int(g.Hi)-int(g.Zero)
	switch {
	case first == lo && last == hi:
		return s.source, nil
	case first == 0 && last == hi && s.source != s.root && s.root.Producer().Op() == "Relu":
		return s.root, nil
	case first == 0 && last == hi:
		return e.node("Relu", s.node+"/relu", s.value+"/bounded", tensor.Float32, shapeOf(s.source), []*onnx.Value{s.source})
	}
	bounds := []*onnx.Value{s.source}
	for _, b := range []struct {
		name string
		code uint8
	}{{"/lo", g.Lo}, {"/hi", g.Hi}} {
		v, err := e.constant(s.value+b.name, tensor.Scalar(g.Value(b.code)))
		if err != nil {
			return nil, err
		}
		bounds = append(bounds, v)
	}
	return e.node("Clip", s.node+"/clip", s.value+"/bounded", tensor.Float32, shapeOf(s.source), bounds)
}

// pair adds QuantizeLinear and DequantizeLinear with a zero point of the container's type.
func (e *exporter) pair(s site, x *onnx.Value, zero *tensor.Tensor) (y, codes *onnx.Value, err error) {
	scale, err := e.constant(s.value+"/scale", tensor.Scalar(s.grid.Scale))
	if err != nil {
		return nil, nil, err
	}
	z, err := e.constant(s.value+"/zero", zero)
	if err != nil {
		return nil, nil, err
	}
	codes, err = e.node("QuantizeLinear", s.node+"/quantize", s.value+"/quantized", zero.DType, shapeOf(s.source), []*onnx.Value{x, scale, z})
	if err != nil {
		return nil, nil, err
	}
	y, err = e.node("DequantizeLinear", s.node+"/dequantize", s.value+"/dequantized", tensor.Float32, shapeOf(s.source), []*onnx.Value{codes, scale, z})
	return y, codes, err
}
