package pass

import (
	"math"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// neverTaken reports whether a MaxPool with so many pads computes what it does of x with a constant around it: every
// window has an element of x, and none is smaller than the constant.
func neverTaken(x *onnx.Value, pool *onnx.Node, pads []int64, value float32) bool {
	low, bounded := atLeast(x)
	// Zeros are left to the Pad: codes pass through it, too. Below every finite number lies none of x that is one.
	under := value <= -math.MaxFloat32 || value < 0 && bounded && value <= low
	return under && len(pool.Outputs()) == 1 && pool.Int("ceil_mode", 0) == 0 && everyWindow(x, pool, pads)
}

// everyWindow reports whether all windows of a pooling that is padded so reach into the plane of x, as the standard
// asks.
func everyWindow(x *onnx.Value, pool *onnx.Node, pads []int64) bool {
	shape, known := x.Shape()
	kernel := pool.Ints("kernel_shape")
	axes := len(kernel)
	if !known || len(shape) != axes+2 || len(pads) != 2*axes {
		return false
	}
	for i, k := range kernel {
		size, stride, dilation := int64(shape[i+2]), at(pool.Ints("strides"), i), at(pool.Ints("dilations"), i)
		before, after := pads[i], pads[i+axes]
		// Runtimes refuse padding as wide as the window.
		if size < 1 || k < 1 || k > maxTaps || stride < 1 || dilation < 1 || dilation > maxTaps || before >= k || after >= k {
			return false
		}
		// Windows that begin in the plane reach it, and as after < k the last one begins in it or before it.
		for from := -before; from < 0; from += stride {
			if !reaches(from, k, dilation, size) {
				return false
			}
		}
	}
	return true
}

// maxTaps bounds what a few bytes can state as the width of a window.
const maxTaps = 1 << 16

// reaches reports whether one of so many taps from a place in front of a row on lies within it.
func reaches(from, taps, dilation, size int64) bool {
	skipped := (-from + dilation - 1) / dilation
	return skipped < taps && from+skipped*dilation < size
}

// atLeast is a number that no element of a value is smaller than, by what computes it.
func atLeast(v *onnx.Value) (float32, bool) {
	for {
		n := v.Producer()
		if n == nil || n.Domain() != "" || n.Input(0) == nil {
			return 0, false
		}
		switch row := n.Traits(); {
		case row.Has(op.Bounded):
			return row.Floor, true
		case n.Op() == "Elu":
			a := n.Float("alpha", 1)
			return -a, a >= 0
		case n.Op() == "Clip":
			return clipLow(n)
		case row.Has(op.Preserving):
			v = n.Input(0)
		default:
			return 0, false
		}
	}
}

// clipLow is the lower bound of a Clip; a smaller upper one wins.
func clipLow(n *onnx.Node) (float32, bool) {
	low, ok := number(n.Input(1))
	if !ok {
		return 0, false
	}
	if n.Input(2) != nil {
		high, constant := number(n.Input(2))
		if !constant {
			return 0, false
		}
		low = min(low, high)
	}
	return low, true
}
