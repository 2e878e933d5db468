package pass

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
)

// quantizer is what QuantizeLinear and DequantizeLinear have in common: scale and zero point of each element of a
// tensor.
type quantizer struct {
	scale []float32
	zero  []int64               // nil: 0
	codes tensor.DType          // type of the codes, Undefined if the node does not say
	of    func(element int) int // index into both
}

// quantizerOf reads scale and zero point of a node: one for all, one per index of an axis, or one per block along it.
func quantizerOf(c call) (q quantizer, err error) {
	x, err := c.arg(0)
	if err != nil {
		return q, err
	}
	s, err := c.arg(1)
	if err != nil {
		return q, err
	}
	if s.DType != tensor.Float32 {
		return q, fmt.Errorf("%w: scale of type %s", errNoEval, s.DType)
	}
	if q.scale, err = tensor.Values[float32](s); err != nil {
		return q, err
	}
	if len(c.in) > 2 && c.in[2] != nil {
		if q.codes = c.in[2].DType; c.in[2].Shape.Numel() != len(q.scale) {
			return q, fmt.Errorf("scale has shape %s, zero point %s", s.Shape, c.in[2].Shape)
		}
		if q.zero, err = codes(c.in[2]); err != nil {
			return q, err
		}
	}
	if len(q.scale) == 1 && len(s.Shape) < 2 {
		q.of = func(int) int { return 0 }
		return q, nil
	}
	axis, err := tensor.Axis(c.node.Int("axis", 1), len(x.Shape))
	if err != nil {
		return q, err
	}
	q.of, err = spacing(x.Shape, s.Shape, axis, int(c.node.Int("block_size", 0)))
	return q, err
}

// spacing tells which element of a scale belongs to an element of a tensor.
func spacing(x, scale tensor.Shape, axis, block int) (func(int) int, error) {
	size, inner := x[axis], x[axis+1:].Numel()
	if block < 1 {
		if len(scale) != 1 || scale[0] != size {
			return nil, fmt.Errorf("scale of shape %s does not fit axis %d of %s", scale, axis, x)
		}
		return func(i int) int { return i / inner % size }, nil
	}
	blocks := (size + block - 1) / block
	want := x.Clone()
	if want[axis] = blocks; !scale.Equal(want) {
		return nil, fmt.Errorf("scale of shape %s is not one for each %d along axis %d of %s", scale, block, axis, x)
	}
	return func(i int) int {
		return (i/inner/size*blocks+i/inner%size/block)*inner + i%inner
	}, nil
}

// evalDequantize gives what codes stand for: (code - zero point) * scale.
func evalDequantize(c call) ([]*tensor.Tensor, error) {
	q, err := quantizerOf(c)
	if err != nil {
		return nil, err
	}
	if to := tensor.DType(c.node.Int("output_dtype", 0)); to != tensor.Undefined && to != tensor.Float32 {
		return nil, fmt.Errorf("%w: to %s", errNoEval, to)
	}
	v, err := codes(c.in[0])
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(v))
	for i, code := range v {
		k := q.of(i)
		if q.zero != nil {
			code -= q.zero[k]
		}
		out[i] = float32(code) * q.scale[k]
	}
	return one(tensor.From(c.in[0].Shape, out), nil)
}

// evalQuantize gives the codes of floats: half to even, saturating.
func evalQuantize(c call) ([]*tensor.Tensor, error) {
	q, err := quantizerOf(c)
	if err != nil {
		return nil, err
	}
	if q.codes == tensor.Undefined {
		if q.codes = tensor.DType(c.node.Int("output_dtype", 0)); q.codes == tensor.Undefined {
			q.codes = tensor.Uint8
		}
	}
	if c.in[0].DType != tensor.Float32 || q.codes != tensor.Uint8 && q.codes != tensor.Int8 {
		return nil, fmt.Errorf("%w: %s to %s", errNoEval, c.in[0].DType, q.codes)
	}
	x, err := tensor.Values[float32](c.in[0])
	if err != nil {
		return nil, err
	}
	low, high := 0.0, 255.0
	if q.codes == tensor.Int8 {
		low, high = -128, 127
	}
	raw := make([]byte, len(x))
	for i, f := range x {
		k := q.of(i)
		code := math.RoundToEven(float64(f / q.scale[k]))
		if q.zero != nil {
			code += float64(q.zero[k])
		}
		if math.IsNaN(code) {
			return nil, fmt.Errorf("%w: code of %g", errNoEval, f)
		}
		raw[i] = byte(int(math.Min(math.Max(code, low), high)))
	}
	return one(tensor.New(q.codes, c.in[0].Shape, raw))
}

// codes decodes integers of any width; four bits are packed two to a byte, the first in the low half.
func codes(t *tensor.Tensor) ([]int64, error) {
	if t.DType != tensor.Int4 && t.DType != tensor.Uint4 {
		v, err := tensor.Ints(t)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoEval, err)
		}
		return v, nil
	}
	out := make([]int64, t.Shape.Numel())
	for i := range out {
		out[i] = int64(t.Raw[i/2] >> (i % 2 * 4) & 15)
		if t.DType == tensor.Int4 && out[i] > 7 {
			out[i] -= 16
		}
	}
	return out, nil
}
