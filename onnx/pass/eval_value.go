package pass

import (
	"bytes"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
)

func evalConstant(c call) ([]*tensor.Tensor, error) {
	n := c.node
	switch {
	case n.Has("value"):
		if t := n.Tensor("value"); t != nil {
			return one(t, nil)
		}
	case n.Has("value_float"):
		return one(tensor.Scalar(n.Float("value_float", 0)), nil)
	case n.Has("value_int"):
		return one(tensor.Scalar(n.Int("value_int", 0)), nil)
	case n.Has("value_floats"):
		v := n.Floats("value_floats")
		return one(tensor.From(tensor.Shape{len(v)}, v), nil)
	case n.Has("value_ints"):
		v := n.Ints("value_ints")
		return one(tensor.From(tensor.Shape{len(v)}, v), nil)
	}
	return nil, fmt.Errorf("%w: kind of value", errNoEval)
}

func evalConstantOfShape(c call) ([]*tensor.Tensor, error) {
	want, err := c.ints(0)
	if err != nil {
		return nil, err
	}
	shape, err := dims(want)
	if err != nil {
		return nil, err
	}
	value := tensor.Scalar(float32(0))
	if t := c.node.Tensor("value"); t != nil {
		value = t
	}
	if value.Shape.Numel() != 1 {
		return nil, fmt.Errorf("value has shape %s, one element is wanted", value.Shape)
	}
	return one(rearrange(value, shape, c.room, func(int) int { return 0 }))
}

func evalShape(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	return one(shapeTensor(c, t.Shape), nil)
}

// shapeTensor is the result of Shape, with the start and end that opset 15 added.
func shapeTensor(c call, s tensor.Shape) *tensor.Tensor {
	rank := int64(len(s))
	first, n := sliceRange(c.node.Int("start", 0), c.node.Int("end", rank), 1, rank)
	v := make([]int64, n)
	for i := range v {
		v[i] = int64(s[first+int64(i)])
	}
	return tensor.From(tensor.Shape{int(n)}, v)
}

func evalSize(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	return one(tensor.Scalar(int64(t.Shape.Numel())), nil)
}

func evalRange(c call) ([]*tensor.Tensor, error) {
	first, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	if first.DType != tensor.Int64 {
		return nil, fmt.Errorf("%w: type %s", errNoEval, first.DType)
	}
	var v [3]int64
	for i := range v {
		x, err := c.ints(i)
		if err != nil {
			return nil, err
		}
		if len(x) != 1 {
			return nil, fmt.Errorf("operand %d is no scalar", i)
		}
		v[i] = x[0]
	}
	if v[2] == 0 {
		return nil, fmt.Errorf("step is zero")
	}
	count := math.Max(math.Ceil((float64(v[1])-float64(v[0]))/float64(v[2])), 0) // in floats, which do not wrap around
	if count > float64(c.room) {
		return nil, fmt.Errorf("%w: range of %g", errNoEval, count)
	}
	n := int64(count)
	out := make([]int64, n)
	for i := range out {
		out[i] = v[0] + int64(i)*v[2]
	}
	return one(tensor.From(tensor.Shape{int(n)}, out), nil)
}

func evalWhere(c call) ([]*tensor.Tensor, error) {
	var in [3]*tensor.Tensor
	shape := tensor.Shape{}
	var err error
	for i := range in {
		if in[i], err = c.arg(i); err != nil {
			return nil, err
		}
		if shape, err = tensor.Broadcast(shape, in[i].Shape); err != nil {
			return nil, err
		}
	}
	for i := range in {
		if in[i], err = expand(in[i], shape, c.room); err != nil {
			return nil, err
		}
	}
	size, err := elementSize(in[1])
	if err != nil || in[1].DType != in[2].DType || in[0].DType != tensor.Bool {
		return nil, fmt.Errorf("%w: operand types", errNoEval)
	}
	raw := bytes.Clone(in[2].Raw)
	for i, b := range in[0].Raw {
		if b != 0 {
			copy(raw[i*size:], in[1].Raw[i*size:(i+1)*size])
		}
	}
	return one(tensor.New(in[1].DType, shape, raw))
}

func evalCast(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	to := tensor.DType(c.node.Int("to", 0))
	if to == t.DType {
		return one(t, nil)
	}
	return one(cast(t, to))
}

// cast converts between the types that shape arithmetic and weights use. Float to integer truncates towards zero.
func cast(t *tensor.Tensor, to tensor.DType) (*tensor.Tensor, error) {
	switch to {
	case tensor.Float32:
		v, err := tensor.Floats(t)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoEval, err)
		}
		return tensor.From(t.Shape, v), nil
	case tensor.Int64, tensor.Int32, tensor.Bool:
		v, err := integers(t, to == tensor.Bool)
		if err != nil {
			return nil, err
		}
		return fromInts(v, t.Shape, to)
	default:
		return nil, fmt.Errorf("%w: to %s", errNoEval, to)
	}
}

// integers truncates floats; for a bool every value other than zero is one.
func integers(t *tensor.Tensor, truth bool) ([]int64, error) {
	if v, err := tensor.Ints(t); err == nil {
		return v, nil
	}
	f, err := tensor.Floats(t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoEval, err)
	}
	v := make([]int64, len(f))
	for i, x := range f {
		switch {
		case truth && x != 0:
			v[i] = 1
		case math.IsNaN(float64(x)) || math.Abs(float64(x)) >= 1<<62:
			return nil, fmt.Errorf("%w: %g to an integer", errNoEval, x)
		default:
			v[i] = int64(x)
		}
	}
	return v, nil
}

// fromInts stores integers as int64, int32 (wrapping) or bool.
func fromInts(v []int64, shape tensor.Shape, to tensor.DType) (*tensor.Tensor, error) {
	switch to {
	case tensor.Int64:
		return tensor.From(shape, v), nil
	case tensor.Int32:
		w := make([]int32, len(v))
		for i, x := range v {
			w[i] = int32(x)
		}
		return tensor.From(shape, w), nil
	case tensor.Bool:
		raw := make([]byte, len(v))
		for i, x := range v {
			if x != 0 {
				raw[i] = 1
			}
		}
		return tensor.New(tensor.Bool, shape, raw)
	default:
		return nil, fmt.Errorf("%w: type %s", errNoEval, to)
	}
}
