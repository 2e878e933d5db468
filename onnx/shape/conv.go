package shape

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

func convRules() map[string]rule { return map[string]rule{"Conv": conv} }

// conv: X [N C D1...], W [K C/group R1...] -> Y [N K O1...].
func conv(c *call) error {
	x, w := c.input(0), c.input(1)
	if !x.ranked() || !w.ranked() {
		c.set(0, x.dtype, nil)
		return nil
	}
	if len(x.shape) < 3 || len(w.shape) != len(x.shape) {
		return fmt.Errorf("input %s and weights %s do not have the same rank of at least 3", x.shape, w.shape)
	}
	group := int(c.node.Int("group", 1))
	if channels, per := x.shape[1], w.shape[1]; channels >= 0 && per >= 0 && (group < 1 || channels != per*group) {
		return fmt.Errorf("input %s has %d channels, weights %s in %d groups read %d", x.shape, channels, w.shape, group, per*group)
	}
	kernel := make([]int64, len(w.shape)-2)
	for i := range kernel {
		kernel[i] = int64(w.shape[i+2])
	}
	if k := c.node.Ints("kernel_shape"); k != nil {
		kernel = k
	}
	win, err := c.window(kernel)
	if err != nil {
		return err
	}
	out := tensor.Shape{x.shape[0], w.shape[0]}
	for i, d := range x.shape[2:] {
		o, err := win.size(i, d, false)
		if err != nil {
			return fmt.Errorf("input %s: %w", x.shape, err)
		}
		out = append(out, o)
	}
	c.set(0, x.dtype, out)
	return nil
}

// window holds the sliding-window attributes that Conv and the pools share.
type window struct {
	kernel, strides, pads, dilations []int64
	auto                             string
}

// window reads the attributes of a sliding window. kernel is its size where no attribute states it.
func (c *call) window(kernel []int64) (window, error) {
	n := len(kernel)
	w := window{kernel: kernel, auto: c.node.Str("auto_pad", "NOTSET")}
	var err error
	if w.strides, err = c.perAxis("strides", n, 1); err != nil {
		return w, err
	}
	if w.dilations, err = c.perAxis("dilations", n, 1); err != nil {
		return w, err
	}
	if w.pads, err = c.perAxis("pads", 2*n, 0); err != nil {
		return w, err
	}
	for i := range kernel {
		if w.strides[i] < 1 || w.dilations[i] < 1 {
			return w, fmt.Errorf("strides %v and dilations %v must be positive", w.strides, w.dilations)
		}
	}
	return w, nil
}

// perAxis reads a list attribute of n entries that default to def.
func (c *call) perAxis(name string, n int, def int64) ([]int64, error) {
	v := c.node.Ints(name)
	if v == nil {
		v = make([]int64, n)
		for i := range v {
			v[i] = def
		}
	}
	if len(v) != n {
		return nil, fmt.Errorf("attribute %s has %d entries, not %d", name, len(v), n)
	}
	return v, nil
}

// size is the extent of the output along spatial axis i, -1 if that of the input is unknown.
func (w window) size(i, in int, ceil bool) (int, error) {
	if i >= len(w.kernel) {
		return 0, fmt.Errorf("kernel has %d axes only", len(w.kernel))
	}
	if in < 0 || w.kernel[i] < 0 {
		return -1, nil
	}
	stride := w.strides[i]
	reach := w.dilations[i]*(w.kernel[i]-1) + 1
	padded := int64(in)
	switch w.auto {
	case "SAME_UPPER", "SAME_LOWER":
		return int((int64(in) + stride - 1) / stride), nil
	case "VALID":
	case "NOTSET", "":
		padded += w.pads[i] + w.pads[i+len(w.kernel)]
	default:
		return 0, fmt.Errorf("auto_pad %q is not known", w.auto)
	}
	if reach < 1 || padded < reach {
		return 0, fmt.Errorf("a kernel reaching over %d does not fit axis %d of padded size %d", reach, i+2, padded)
	}
	out := (padded-reach)/stride + 1
	if ceil && (padded-reach)%stride != 0 {
		// A window that would start in the padding at the end is left out (ONNX, AveragePool-22).
		if out*stride < int64(in)+w.pads[i] {
			out++
		}
	}
	return int(out), nil
}
