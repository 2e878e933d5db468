// Package fashion describes the network of the embedded example: small enough to be compressed in minutes on two cores,
// yet with everything that makes quantization hard, a depthwise layer and residual sums.
package fashion

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
)

// Channels of the two residual stages.
const (
	narrow = 24
	wide   = 48
)

// Values gives the elements of the parameter of that name and shape.
type Values func(name string, shape tensor.Shape) ([]float32, error)

// Build writes the network for 28x28 grey samples and 10 classes, BatchNormalization apart:
//
//	3x3/2 conv - relu - 3x3 depthwise - relu6 - 1x1 conv - relu -
//	residual block - relu - 3x3/2 conv - relu - residual block - relu - global average - linear
//
// A residual block is x + norm(conv(relu(norm(conv(x))))) with 3x3 convolutions.
func Build(values Values) (*onnx.Model, error) {
	p, err := models.Preset("fashion-mnist")
	if err != nil {
		return nil, err
	}
	m := onnx.New(17)
	m.SetMetadata(models.PreprocessingKey, p.JSON())
	b := &builder{g: m.Graph, values: values}
	if b.x, b.err = m.Graph.AddInput("input", tensor.Float32, tensor.Shape{-1, 1, 28, 28}); b.err != nil {
		return nil, b.err
	}
	b.conv("stem", 1, narrow, 3, 2, 1)
	b.relu("stem")
	b.conv("depthwise", narrow, narrow, 3, 1, narrow)
	b.relu6("depthwise")
	b.conv("pointwise", narrow, narrow, 1, 1, 1)
	b.relu("pointwise")
	b.block("block1", narrow)
	b.conv("down", narrow, wide, 3, 2, 1)
	b.relu("down")
	b.block("block2", wide)
	b.node("pool", "GlobalAveragePool", b.x)
	b.node("flatten", "Flatten", b.x)
	b.linear("classifier", wide, 10)
	if b.err != nil {
		return nil, fmt.Errorf("build example network: %w", b.err)
	}
	b.x.SetType(tensor.Float32, tensor.Shape{-1, 10})
	if err := m.Graph.AddOutput(b.x); err != nil {
		return nil, err
	}
	return m, m.Validate()
}

// Initial draws weights as He et al. (2015) do, for rectifiers, and sets norms to the identity and biases to zero.
func Initial(seed uint64) Values {
	r := rand.New(rand.NewPCG(seed, 0))
	return func(name string, shape tensor.Shape) ([]float32, error) {
		v := make([]float32, shape.Numel())
		deviation := math.Sqrt(2 / float64(shape[1:].Numel()))
		for i := range v {
			switch {
			case strings.HasSuffix(name, ".weight") && len(shape) > 1:
				v[i] = float32(r.NormFloat64() * deviation)
			case strings.HasSuffix(name, ".gamma"), strings.HasSuffix(name, ".var"):
				v[i] = 1
			}
		}
		return v, nil
	}
}

// builder appends nodes to x, the last value; after an error it does nothing more.
type builder struct {
	g      *onnx.Graph
	values Values
	x      *onnx.Value
	err    error
}

// conv appends a convolution with equal padding and its BatchNormalization.
func (b *builder) conv(name string, in, out, kernel, stride, group int) {
	pad, k, s := int64(kernel/2), int64(kernel), int64(stride)
	w := b.param(name+".weight", tensor.Shape{out, in / group, kernel, kernel})
	b.node(name, "Conv", b.x, w).attrs(
		onnx.IntsAttr("kernel_shape", []int64{k, k}), onnx.IntsAttr("strides", []int64{s, s}),
		onnx.IntsAttr("pads", []int64{pad, pad, pad, pad}), onnx.IntAttr("group", int64(group)))
	in4 := []*onnx.Value{b.x}
	for _, p := range []string{"gamma", "beta", "mean", "var"} {
		in4 = append(in4, b.param(name+".norm."+p, tensor.Shape{out}))
	}
	b.node(name+".norm", "BatchNormalization", in4...)
}

func (b *builder) relu(name string) { b.node(name+".relu", "Relu", b.x) }

func (b *builder) relu6(name string) {
	lo := b.constant(name+".relu6.min", 0)
	hi := b.constant(name+".relu6.max", 6)
	b.node(name+".relu6", "Clip", b.x, lo, hi)
}

func (b *builder) block(name string, channels int) {
	shortcut := b.x
	b.conv(name+".conv1", channels, channels, 3, 1, 1)
	b.relu(name + ".conv1")
	b.conv(name+".conv2", channels, channels, 3, 1, 1)
	b.node(name+".add", "Add", b.x, shortcut)
	b.relu(name)
}

func (b *builder) linear(name string, in, out int) {
	w := b.param(name+".weight", tensor.Shape{out, in})
	bias := b.param(name+".bias", tensor.Shape{out})
	x := b.x
	b.node("logits", "Gemm", x, w, bias).attrs(onnx.IntAttr("transB", 1))
}

// added is a node that was appended, nil after an error.
type added struct{ n *onnx.Node }

func (a added) attrs(attrs ...onnx.Attr) {
	if a.n == nil {
		return
	}
	for _, at := range attrs {
		a.n.SetAttr(at)
	}
}

// node appends a node whose output has its name.
func (b *builder) node(name, op string, in ...*onnx.Value) added {
	if b.err != nil {
		return added{}
	}
	n, err := b.g.AddNode(onnx.NodeSpec{Name: name, Op: op, Inputs: in, Outputs: []string{name}}, nil)
	if b.err = err; err != nil {
		return added{}
	}
	b.x = n.Output(0)
	return added{n}
}

func (b *builder) param(name string, shape tensor.Shape) *onnx.Value {
	if b.err != nil {
		return nil
	}
	v, err := b.values(name, shape)
	if err != nil {
		b.err = err
		return nil
	}
	if len(v) != shape.Numel() {
		b.err = fmt.Errorf("parameter %q has %d elements, shape %s", name, len(v), shape)
		return nil
	}
	p, err := b.g.AddInitializer(name, tensor.From(shape, v))
	b.err = err
	return p
}

func (b *builder) constant(name string, v float32) *onnx.Value {
	if b.err != nil {
		return nil
	}
	c, err := b.g.AddInitializer(name, tensor.Scalar(v))
	b.err = err
	return c
}
