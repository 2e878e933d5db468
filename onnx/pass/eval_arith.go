package pass

import (
	"errors"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
)

// evalBinary covers element-wise operators of two or, for Min and Max, more operands.
func evalBinary(c call) ([]*tensor.Tensor, error) {
	out, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(c.in); i++ {
		next, err := c.arg(i)
		if err != nil {
			return nil, err
		}
		if out, err = binary(c, out, next); err != nil {
			return nil, err
		}
		if out.Shape.Numel() > c.room/len(c.in) { // every further operand goes over all of it
			return nil, fmt.Errorf("%w: %d operands of shape %s", errNoEval, len(c.in), out.Shape)
		}
	}
	return one(out, nil)
}

func binary(c call, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	op := c.node.Op()
	if a.DType != b.DType {
		return nil, fmt.Errorf("operands are %s and %s", a.DType, b.DType)
	}
	shape, err := tensor.Broadcast(a.Shape, b.Shape)
	if err != nil {
		return nil, err
	}
	if a, err = expand(a, shape, c.room); err != nil {
		return nil, err
	}
	if b, err = expand(b, shape, c.room); err != nil {
		return nil, err
	}
	switch a.DType {
	case tensor.Float32:
		return binaryFloat(op, a, b, c.node.Int("fmod", 0) != 0)
	case tensor.Int64, tensor.Int32, tensor.Bool:
		return binaryInt(op, a, b, c.node.Int("fmod", 0) != 0)
	default:
		return nil, fmt.Errorf("%w: type %s", errNoEval, a.DType)
	}
}

func binaryFloat(op string, a, b *tensor.Tensor, fmod bool) (*tensor.Tensor, error) {
	x, err := tensor.Floats(a)
	if err != nil {
		return nil, err
	}
	y, err := tensor.Floats(b)
	if err != nil {
		return nil, err
	}
	if truth := compare[float32](op); truth != nil {
		return truths(x, y, a.Shape, truth)
	}
	f := arithmetic[float32](op)
	if op == "Div" {
		f = func(p, q float32) float32 { return p / q }
	}
	if op == "Mod" && fmod {
		f = func(p, q float32) float32 { return float32(math.Mod(float64(p), float64(q))) }
	}
	if f == nil {
		return nil, fmt.Errorf("%w: of floats", errNoEval)
	}
	for i := range x {
		x[i] = f(x[i], y[i])
	}
	return tensor.From(a.Shape, x), nil
}

func binaryInt(op string, a, b *tensor.Tensor, fmod bool) (*tensor.Tensor, error) {
	x, err := tensor.Ints(a)
	if err != nil {
		return nil, err
	}
	y, err := tensor.Ints(b)
	if err != nil {
		return nil, err
	}
	if truth := compare[int64](op); truth != nil {
		return truths(x, y, a.Shape, truth)
	}
	f := arithmetic[int64](op)
	switch op {
	case "Div", "Mod":
		for _, q := range y {
			if q == 0 {
				return nil, errors.New("division by zero")
			}
		}
		f = func(p, q int64) int64 { return p / q } // integer Div truncates, as C does
		if op == "Mod" {
			f = func(p, q int64) int64 {
				r := p % q
				if !fmod && r != 0 && (r < 0) != (q < 0) {
					r += q // the sign of the divisor, as Python does
				}
				return r
			}
		}
	case "And":
		f = func(p, q int64) int64 { return p & q }
	case "Or":
		f = func(p, q int64) int64 { return p | q }
	}
	if f == nil {
		return nil, fmt.Errorf("%w: of integers", errNoEval)
	}
	for i := range x {
		x[i] = f(x[i], y[i])
	}
	return fromInts(x, a.Shape, a.DType)
}

func arithmetic[T float32 | int64](op string) func(a, b T) T {
	switch op {
	case "Add":
		return func(a, b T) T { return a + b }
	case "Sub":
		return func(a, b T) T { return a - b }
	case "Mul":
		return func(a, b T) T { return a * b }
	case "Min":
		return func(a, b T) T { return min(a, b) }
	case "Max":
		return func(a, b T) T { return max(a, b) }
	default:
		return nil
	}
}

func compare[T float32 | int64](op string) func(a, b T) bool {
	switch op {
	case "Equal":
		return func(a, b T) bool { return a == b }
	case "Less":
		return func(a, b T) bool { return a < b }
	case "Greater":
		return func(a, b T) bool { return a > b }
	case "LessOrEqual":
		return func(a, b T) bool { return a <= b }
	case "GreaterOrEqual":
		return func(a, b T) bool { return a >= b }
	default:
		return nil
	}
}

func truths[T float32 | int64](x, y []T, shape tensor.Shape, f func(a, b T) bool) (*tensor.Tensor, error) {
	raw := make([]byte, len(x))
	for i := range x {
		if f(x[i], y[i]) {
			raw[i] = 1
		}
	}
	return tensor.New(tensor.Bool, shape, raw)
}

func evalUnary(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	switch op := c.node.Op(); {
	case t.DType == tensor.Float32:
		f := map[string]func(float64) float64{
			"Neg": func(x float64) float64 { return -x }, "Abs": math.Abs, "Sqrt": math.Sqrt, "Floor": math.Floor, "Ceil": math.Ceil,
		}[op]
		if f == nil {
			return nil, fmt.Errorf("%w: of floats", errNoEval)
		}
		v, err := tensor.Floats(t)
		if err != nil {
			return nil, err
		}
		for i, x := range v {
			v[i] = float32(f(float64(x))) // a float64 square root rounds to the right float32
		}
		return one(tensor.From(t.Shape, v), nil)
	case t.DType == tensor.Int64 || t.DType == tensor.Int32 || t.DType == tensor.Bool:
		f := map[string]func(int64) int64{
			"Neg": func(x int64) int64 { return -x }, "Abs": func(x int64) int64 { return max(x, -x) }, "Not": func(x int64) int64 { return 1 - x },
		}[op]
		if f == nil || (op == "Not") != (t.DType == tensor.Bool) {
			return nil, fmt.Errorf("%w: of integers", errNoEval)
		}
		v, err := tensor.Ints(t)
		if err != nil {
			return nil, err
		}
		for i, x := range v {
			v[i] = f(x)
		}
		return one(fromInts(v, t.Shape, t.DType))
	default:
		return nil, fmt.Errorf("%w: type %s", errNoEval, t.DType)
	}
}

// evalReduceProd multiplies all elements of a vector, which is how exporters count elements of a shape.
func evalReduceProd(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	axes, err := c.intsOr("axes", 1)
	if err != nil {
		return nil, err
	}
	if t.DType != tensor.Int64 || len(t.Shape) != 1 || (len(axes) == 0 && c.node.Int("noop_with_empty_axes", 0) != 0) {
		return nil, fmt.Errorf("%w: more than a vector of int64", errNoEval)
	}
	v, err := tensor.Ints(t)
	if err != nil {
		return nil, err
	}
	p := int64(1)
	for _, x := range v {
		p *= x
	}
	shape := tensor.Shape{}
	if c.node.Int("keepdims", 1) != 0 {
		shape = tensor.Shape{1}
	}
	return one(tensor.From(shape, []int64{p}), nil)
}
