package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

// window is the geometry that convolution and pooling share: R x S taps over an H x W plane.
type window struct {
	Kernel    []int // R, S
	Strides   []int // vertical, horizontal; 1 if empty
	Pads      []int // top, left, bottom, right; 0 if empty
	Dilations []int // vertical, horizontal; 1 if empty
	AutoPad   string
	Ceil      bool // round the output size up
}

// maxWindow bounds every number of a window and maxPlane the plane with its padding: kernels keep tables by stride and
// lay out the padding, and a few bytes can state any number.
const (
	maxWindow = 1 << 16
	maxPlane  = 1 << 28
)

func buildWindow(a Attributes) (window, error) {
	w := window{
		Kernel: toInts(a.Ints("kernel_shape")), Strides: toInts(a.Ints("strides")), Pads: toInts(a.Ints("pads")),
		Dilations: toInts(a.Ints("dilations")), AutoPad: a.Str("auto_pad", "NOTSET"), Ceil: a.Int("ceil_mode", 0) != 0,
	}
	for _, s := range []struct {
		name string
		have []int
		want int
		low  int
	}{{"kernel_shape", w.Kernel, 2, 1}, {"strides", w.Strides, 2, 1}, {"pads", w.Pads, 4, 0}, {"dilations", w.Dilations, 2, 1}} {
		if len(s.have) != 0 && len(s.have) != s.want {
			return w, fmt.Errorf("%s %v is not two-dimensional", s.name, s.have)
		}
		for _, v := range s.have {
			if v < s.low || v > maxWindow {
				return w, fmt.Errorf("%s %v has a value outside of %d to %d", s.name, s.have, s.low, maxWindow)
			}
		}
	}
	switch w.AutoPad {
	case "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER":
		return w, nil
	default:
		return w, fmt.Errorf("auto_pad %q is unknown", w.AutoPad)
	}
}

func toInts(v []int64) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// geometry is a window resolved for one plane.
type geometry struct {
	r, s, sh, sw, pt, pl, pb, pr, dh, dw, oh, ow int
}

// resolve fits the window with r x s taps to the planes of x (N C H W).
func (w *window) resolve(x tensor.Shape, r, s int) (geometry, error) {
	g := geometry{r: r, s: s, sh: 1, sw: 1, dh: 1, dw: 1}
	if len(x) != 4 {
		return g, fmt.Errorf("input has rank %d, only planes (N C H W) are supported", len(x))
	}
	if len(w.Strides) == 2 {
		g.sh, g.sw = w.Strides[0], w.Strides[1]
	}
	if len(w.Dilations) == 2 {
		g.dh, g.dw = w.Dilations[0], w.Dilations[1]
	}
	if len(w.Pads) == 4 && (w.AutoPad == "" || w.AutoPad == "NOTSET") {
		g.pt, g.pl, g.pb, g.pr = w.Pads[0], w.Pads[1], w.Pads[2], w.Pads[3]
	}
	if w.AutoPad == "SAME_UPPER" || w.AutoPad == "SAME_LOWER" {
		g.pt, g.pb = same(x[2], r, g.sh, g.dh, w.AutoPad == "SAME_LOWER")
		g.pl, g.pr = same(x[3], s, g.sw, g.dw, w.AutoPad == "SAME_LOWER")
	}
	if rows, cols := x[2]+g.pt+g.pb, x[3]+g.pl+g.pr; rows > maxPlane/max(cols, 1) {
		return g, fmt.Errorf("planes of %dx%d with their padding are too large", rows, cols)
	}
	g.oh = w.outSize(x[2], r, g.sh, g.dh, g.pt, g.pb)
	g.ow = w.outSize(x[3], s, g.sw, g.dw, g.pl, g.pr)
	if g.oh < 1 || g.ow < 1 {
		return g, fmt.Errorf("window %dx%d does not fit into %s", r, s, x)
	}
	return g, nil
}

// same is the padding that makes the output ceil(size/stride) long; the odd one goes to the end, or with lower to
// the beginning.
func same(size, taps, stride, dil int, lower bool) (before, after int) {
	total := max(((size+stride-1)/stride-1)*stride+(taps-1)*dil+1-size, 0)
	if lower {
		return total - total/2, total / 2
	}
	return total / 2, total - total/2
}

// outSize counts window positions. Rounding up, a window that would begin in the padding after the plane is left out.
func (w *window) outSize(size, taps, stride, dil, before, after int) int {
	room := size + before + after - dil*(taps-1) - 1
	if room < 0 {
		return 0
	}
	n := room/stride + 1
	if w.Ceil && room%stride != 0 && n*stride < size+before {
		n++
	}
	return n
}
