package shape

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

func constantRules() map[string]rule {
	return map[string]rule{"Constant": constant, "ConstantOfShape": constantOfShape, "Shape": shapeOf, "Size": sizeOf, "Range": rangeOf}
}

// constant takes its value from one of several attributes.
func constant(c *call) error {
	n := c.node
	switch {
	case n.Tensor("value") != nil:
		t := n.Tensor("value")
		c.set(0, t.DType, shapeOrScalar(t.Shape))
		c.setInts(elements(t))
	case n.Has("value_int"):
		c.set(0, tensor.Int64, tensor.Shape{})
		c.setInts([]int64{n.Int("value_int", 0)})
	case n.Has("value_ints"):
		v := n.Ints("value_ints")
		c.set(0, tensor.Int64, tensor.Shape{len(v)})
		c.setInts(v)
	case n.Has("value_float"):
		c.set(0, tensor.Float32, tensor.Shape{})
	case n.Has("value_floats"):
		c.set(0, tensor.Float32, tensor.Shape{len(n.Floats("value_floats"))})
	}
	return nil
}

// shapeOrScalar makes the empty shape of a scalar different from an unknown one.
func shapeOrScalar(s tensor.Shape) tensor.Shape {
	if s == nil {
		return tensor.Shape{}
	}
	return s
}

// constantOfShape fills a shape with one value, float32 zero by default.
func constantOfShape(c *call) error {
	dtype, fill := tensor.Float32, []int64(nil)
	if t := c.node.Tensor("value"); t != nil {
		dtype, fill = t.DType, elements(t)
	}
	list := c.input(0).ints
	if list == nil {
		c.set(0, dtype, nil)
		if s := c.input(0).shape; len(s) == 1 && s[0] >= 0 && s[0] <= maxInts {
			c.set(0, dtype, unknownShape(s[0]))
		}
		return nil
	}
	out, ok := dims(list)
	if !ok {
		return fmt.Errorf("shape %v has a negative or huge dimension", list)
	}
	c.set(0, dtype, out)
	if len(fill) == 1 {
		c.setInts(pick(fill, out, func([]int) int { return 0 }))
	}
	return nil
}

// shapeOf gives the dimensions from start to end.
func shapeOf(c *call) error {
	x := c.input(0)
	if !x.ranked() {
		c.set(0, tensor.Int64, tensor.Shape{-1})
		return nil
	}
	rank := int64(len(x.shape))
	b := cut(len(x.shape), c.node.Int("start", 0), c.node.Int("end", rank), 1)
	c.set(0, tensor.Int64, tensor.Shape{b.count})
	c.setInts(dimElements(x.shape)[b.start : b.start+b.count])
	return nil
}

// sizeOf gives the number of elements.
func sizeOf(c *call) error {
	c.set(0, tensor.Int64, tensor.Shape{})
	if n := c.input(0).shape.Numel(); c.input(0).ranked() && n >= 0 {
		c.setInts([]int64{int64(n)})
	}
	return nil
}

// rangeOf counts from start to limit in steps of delta.
func rangeOf(c *call) error {
	c.set(0, c.input(0).dtype, tensor.Shape{-1})
	var arg [3]int64
	for i := range arg {
		v := c.input(i).ints
		if len(v) != 1 || !isKnown(v[0]) {
			return nil
		}
		arg[i] = v[0]
	}
	start, limit, delta := arg[0], arg[1], arg[2]
	if delta == 0 {
		return fmt.Errorf("the step is 0")
	}
	var v []int64
	for x := start; delta > 0 && x < limit || delta < 0 && x > limit; x += delta {
		if v = append(v, x); len(v) > maxInts {
			return nil
		}
	}
	c.set(0, c.input(0).dtype, tensor.Shape{len(v)})
	c.setInts(v)
	return nil
}
