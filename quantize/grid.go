package quantize

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/onnx"
)

// Levels are the lowest and highest integer of a b-bit quantizer: -2^(b-1)..2^(b-1)-1 signed, 0..2^b-1 unsigned.
func Levels(bits int, signed bool) (lo, hi int) {
	if signed {
		return -1 << (bits - 1), 1<<(bits-1) - 1
	}
	return 0, 1<<bits - 1
}

// Levels are the lowest and highest integer of the point's quantizer at a bit-width.
func (t *Point) Levels(bits int) (lo, hi int) {
	lo, hi = Levels(bits, t.Signed)
	if t.Int8 {
		hi = min(hi, math.MaxInt8)
	}
	return lo, hi
}

// ZeroPoint is the code of zero of an asymmetric quantizer whose codes 0..2^b-1 begin near low: half of them lie below
// zero at most, as those of a signed quantizer do.
func ZeroPoint(low, step float32, bits int) int {
	z := math.RoundToEven(-float64(low) / float64(step))
	return int(max(0, min(z, float64(int(1)<<(bits-1)))))
}

// Grid is the arithmetic of one activation quantizer whose codes are stored in uint8: code c stands for Scale*(c-Zero),
// and codes lie in Lo..Hi. Zero is 128 for signed tensors, 0 for unsigned ones, and ZeroPoint for asymmetric ones.
type Grid struct {
	Scale        float32
	Zero, Lo, Hi uint8
}

// signedZero is the zero point of signed tensors: onnxruntime's integer kernels want one container type everywhere.
const signedZero = 128

// Grid is the quantizer of point i at a bit-width, or its 8-bit stream quantizer. The upper bound of a Clip that
// produces the tensor is part of Hi, and the zero of a Relu is part of Lo, so that neither operator has to be run:
// rounding is monotonic, hence clipping before and after it agree.
func (p *Plan) Grid(s *Supernet, i, bits int, stream bool) (Grid, error) {
	t := &p.Points[i]
	name := StepName(t.Tensor, bits)
	if stream {
		name, bits = StreamName(t.Tensor), fixedBits
	}
	step, err := s.Get(name)
	if err != nil {
		return Grid{}, fmt.Errorf("grid of tensor %q: %w", t.Tensor, err)
	}
	if len(step) != 1 || !usableScale(step[0]) {
		return Grid{}, fmt.Errorf("grid of tensor %q: %s is not one positive number: %v", t.Tensor, name, step)
	}
	if bits < minBits || bits > maxBits {
		return Grid{}, fmt.Errorf("grid of tensor %q: %d bits are outside %d..%d", t.Tensor, bits, minBits, maxBits)
	}
	g := Grid{Scale: step[0]}
	lo, hi := t.Levels(bits)
	switch {
	case t.Asymmetric:
		low, err := s.Get(LowName(t.Tensor))
		if err != nil || len(low) != 1 || !(low[0] <= 0) {
			return Grid{}, fmt.Errorf("grid of tensor %q: %s is not one number up to 0", t.Tensor, LowName(t.Tensor))
		}
		z := ZeroPoint(low[0], g.Scale, bits)
		g.Zero, lo, hi = uint8(z), -z, 1<<bits-1-z
	case t.Signed:
		g.Zero = signedZero
	}
	if t.ClipMax > 0 {
		hi = min(hi, int(min(math.RoundToEven(float64(t.ClipMax/g.Scale)), 255)))
	}
	g.Lo, g.Hi = uint8(lo+int(g.Zero)), uint8(hi+int(g.Zero))
	return g, nil
}

// usableScale keeps out what runtimes reject or flush: zero, negative, subnormal, infinite and NaN scales.
func usableScale(s float32) bool { return s >= 0x1p-126 && s <= math.MaxFloat32 }

// Read is the grid whose codes layer i computes with under a policy, and whether that is the stream of its point: at 8
// bits a layer reads the codes of a stream as they are.
func (p *Plan) Read(s *Supernet, q Policy, i int) (g Grid, stream bool, err error) {
	_, a := p.Bits(q, i)
	point := p.Layers[i].Point
	stream = p.Points[point].Stream && a == fixedBits
	g, err = p.Grid(s, point, a, stream)
	return g, stream, err
}

// Root is the grid that point i is quantized with where it arises: its stream, or else the width of the policy.
func (p *Plan) Root(s *Supernet, q Policy, i int) (Grid, error) {
	t := &p.Points[i]
	bits := q.A[i]
	if t.Fixed {
		bits = fixedBits
	}
	return p.Grid(s, i, bits, t.Stream)
}

// CodesKey names the codes of a tensor when codes are compared: the tensor itself, and "tensor@bits" where a layer
// reads a stream below 8 bits.
func CodesKey(tensor string, bits int, stream bool) string {
	if stream {
		return tensor
	}
	return fmt.Sprintf("%s@%d", tensor, bits)
}

// Full reports whether the container's saturation is all the clipping the grid needs.
func (g Grid) Full() bool { return g.Lo == 0 && g.Hi == math.MaxUint8 }

// Quantize is the code of x: x/Scale rounded half to even, plus Zero, within Lo..Hi. NaN gives Lo.
func (g Grid) Quantize(x float32) uint8 {
	return g.Code(x / g.Scale)
}

// Code is Quantize for a value that is already in units of Scale.
func (g Grid) Code(v float32) uint8 {
	lo, hi := float64(g.Lo)-float64(g.Zero), float64(g.Hi)-float64(g.Zero)
	r := float64(v)
	// Clip before rounding, which is the same and keeps the conversion defined for infinities.
	if !(r > lo) {
		return g.Lo
	}
	if r >= hi {
		return g.Hi
	}
	return uint8(int(math.RoundToEven(r)) + int(g.Zero))
}

// Codes is Code of float32(sum[i]+bias) * m for every i, without branches that depend on the data. m is such that no
// product comes near 2^63.
func (g Grid) Codes(sum []int32, bias int32, m float32, codes []uint8) {
	lo, hi, zero := int64(g.Lo)-int64(g.Zero), int64(g.Hi)-int64(g.Zero), int64(g.Zero)
	sum = sum[:len(codes)]
	for i := range codes {
		// The conversion of the product keeps compilers from fusing it with anything.
		r := int64(math.RoundToEven(float64(float32(float32(sum[i]+bias) * m))))
		codes[i] = uint8(min(max(r, lo), hi) + zero)
	}
}

// Value is what a code stands for.
func (g Grid) Value(code uint8) float32 {
	// The conversion keeps a caller's sum from being fused with the product.
	return float32(float32(int(code)-int(g.Zero)) * g.Scale)
}

// Convert is the table that takes codes of grid g to codes of another grid, by way of the value, as
// DequantizeLinear and QuantizeLinear in a row do.
func (g Grid) Convert(to Grid) *[256]uint8 {
	var t [256]uint8
	for c := range t {
		t[c] = to.Quantize(g.Value(uint8(c)))
	}
	return &t
}

// Source is the value that the quantizer of a root reads: the input of the Relu or Clip that produces the root, where
// the bounds of its grid make that operator redundant, else the root itself.
func Source(root *onnx.Value) *onnx.Value {
	n := root.Producer()
	if n == nil || n.Domain() != "" || n.Input(0) == nil {
		return root
	}
	switch n.Op() {
	case "Relu":
		return n.Input(0)
	case "Clip":
		lo, hasLo := scalar(n.Input(1))
		hi, hasHi := scalar(n.Input(2))
		if hasLo && lo == 0 && (n.Input(2) == nil || (hasHi && hi > 0)) {
			return n.Input(0)
		}
	}
	return root
}
