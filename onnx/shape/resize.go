package shape

import "fmt"

func resizeRules() map[string]rule { return map[string]rule{"Resize": resize} }

// resize takes the new spatial sizes from input 3. Scales are floats, which inference does not follow: there the rank
// and the first two dimensions (N C) are known only if the sizes are.
func resize(c *call) error {
	x := c.input(0)
	if !x.ranked() {
		c.set(0, x.dtype, nil)
		return nil
	}
	sizes := c.input(3).ints
	if sizes == nil {
		c.set(0, x.dtype, unknownShape(len(x.shape)))
		return nil
	}
	target, ok := dims(sizes)
	if !ok {
		return fmt.Errorf("sizes %v are negative", sizes)
	}
	which := c.node.Ints("axes")
	if which == nil {
		for i := range x.shape {
			which = append(which, int64(i))
		}
	}
	if len(target) != len(which) {
		return fmt.Errorf("%d sizes for %d axes", len(target), len(which))
	}
	out := x.shape.Clone()
	for i, a := range which {
		at, err := axis(a, len(out))
		if err != nil {
			return err
		}
		out[at] = target[i]
	}
	c.set(0, x.dtype, out)
	return nil
}
