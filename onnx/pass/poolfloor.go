package pass

import (
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// FloorPools writes an AveragePool that rounds its size up and counts its padding as one that rounds down, with the
// padding that makes the same windows and a factor where they hang over: onnxruntime up to 1.28 counts what hangs over
// before opset 19, later versions do not at any.
type FloorPools struct{ always }

// Name names the pass.
func (FloorPools) Name() string { return "rounded poolings" }

// Apply rewrites every such pooling of known size. Dilations of 1 are left out, too: the integer AveragePool of
// onnxruntime knows none, and a model in which it would stand for one with the attribute does not load.
func (FloorPools) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if n.Op() == "AveragePool" && n.Domain() == "" && n.Has("dilations") {
			done, err := plainDilations(m.Graph, n)
			if err != nil {
				return modified, err
			}
			modified = modified || done
		}
		if n.Op() != "AveragePool" || n.Domain() != "" || n.Int("ceil_mode", 0) == 0 || n.Int("count_include_pad", 0) == 0 || n.Input(0) == nil || n.Output(0) == nil {
			continue
		}
		x, known := n.Input(0).Shape()
		y, sized := n.Output(0).Shape()
		w, fits := hanging(n, x, y)
		captured := slices.ContainsFunc(n.Output(0).Uses(), func(u onnx.Use) bool { return u.Index < 0 })
		if !known || !sized || !fits || captured {
			continue
		}
		modified = true
		n.RemoveAttr("ceil_mode")
		n.RemoveAttr("auto_pad")
		n.SetAttr(onnx.IntsAttr("pads", w.pads))
		if !w.hangs {
			continue
		}
		if err := scaleBehind(m.Graph, n, w.factors); err != nil {
			return modified, err
		}
	}
	return modified, nil
}

// plainDilations leaves dilations of 1 out. Behind others it puts a LeakyRelu of slope 1, which changes no value, so
// that no quantizer follows at once.
func plainDilations(g *onnx.Graph, n *onnx.Node) (bool, error) {
	y := n.Output(0)
	if !slices.ContainsFunc(n.Ints("dilations"), func(d int64) bool { return d != 1 }) {
		n.RemoveAttr("dilations")
		return true, nil
	}
	uses := y.Uses()
	if len(uses) == 0 || slices.ContainsFunc(uses, func(u onnx.Use) bool { return u.Index < 0 }) {
		return false, nil
	}
	if next := uses[0].Node; len(uses) == 1 && next.Op() == "LeakyRelu" && next.Float("alpha", 0.01) == 1 {
		return false, nil
	}
	keep, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(n.Name() + "/keep"), Op: "LeakyRelu", Inputs: []*onnx.Value{y},
		Outputs: []string{g.FreshName(y.Name() + "/kept")}, Attrs: []onnx.Attr{onnx.FloatAttr("alpha", 1)},
	}, nil)
	if err != nil {
		return false, err
	}
	if s, known := y.Shape(); known {
		keep.Output(0).SetType(y.DType(), s)
	}
	for _, u := range uses {
		u.Node.SetInput(u.Index, keep.Output(0))
	}
	return true, g.Sort()
}

// overhang is what makes a pooling that rounds up one that rounds down.
type overhang struct {
	pads    []int64
	hangs   bool
	factors *tensor.Tensor // 1 x 1 x OH x OW
}

// hanging works that out for a pooling of planes with explicit padding; false where it does not fit.
func hanging(n *onnx.Node, x, y tensor.Shape) (overhang, bool) {
	kernel := n.Ints("kernel_shape")
	if auto := n.Str("auto_pad", "NOTSET"); auto != "NOTSET" && auto != "VALID" || len(x) != 4 || len(y) != 4 || len(kernel) != 2 || y[2:].Numel() < 1 {
		return overhang{}, false
	}
	pads := n.Ints("pads")
	if pads == nil {
		pads = make([]int64, 4)
	}
	if len(pads) != 4 {
		return overhang{}, false
	}
	var shares [2][]float64 // of the taps of a window, those that count
	o := overhang{pads: pads}
	for i, k := range kernel {
		size, stride, dilation := int64(x[2+i]), at(n.Ints("strides"), i), at(n.Ints("dilations"), i)
		end := size + pads[i] + pads[i+2]
		for p := range int64(y[2+i]) {
			count := 0
			for t := range k {
				if p*stride+t*dilation < end {
					count++
				}
			}
			shares[i] = append(shares[i], float64(count)/float64(k))
		}
		if more := (int64(y[2+i])-1)*stride + dilation*(k-1) + 1 - end; more > 0 {
			pads[i+2] += more
			o.hangs = true
		}
		if pads[i+2] >= k || end < 1 {
			return overhang{}, false
		}
	}
	factors := make([]float32, 0, y[2:].Numel())
	for _, a := range shares[0] {
		for _, b := range shares[1] {
			if a*b == 0 {
				return overhang{}, false
			}
			factors = append(factors, float32(1/(a*b)))
		}
	}
	o.factors = tensor.From(tensor.Shape{1, 1, y[2], y[3]}, factors)
	return o, true
}

// scaleBehind multiplies what a node computes by a constant, for all that read it.
func scaleBehind(g *onnx.Graph, n *onnx.Node, by *tensor.Tensor) error {
	c, err := g.AddInitializer(g.FreshName(n.Name()+"/factors"), by)
	if err != nil {
		return err
	}
	y := n.Output(0)
	uses := y.Uses()
	mul, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(n.Name() + "/scaled"), Op: "Mul", Inputs: []*onnx.Value{y, c}, Outputs: []string{g.FreshName(y.Name() + "/scaled")},
	}, nil)
	if err != nil {
		return err
	}
	out := mul.Output(0)
	if s, known := y.Shape(); known {
		out.SetType(y.DType(), s)
	}
	for _, u := range uses {
		u.Node.SetInput(u.Index, out)
	}
	if y.IsOutput() {
		if err := g.ReplaceOutput(y, out); err != nil {
			return err
		}
	}
	return g.Sort()
}
