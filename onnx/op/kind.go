package op

// Kind is the kind of layer that an operator is with constant weights.
type Kind uint8

const (
	// NoLayer has no weights in this sense.
	NoLayer Kind = iota
	// Conv has weights K x C/groups x R x S.
	Conv
	// ConvTranspose has weights C x K/groups x R x S.
	ConvTranspose
	// Gemm has weights C x K, or K x C where transB is set.
	Gemm
	// MatMul has weights C x K.
	MatMul
)

// Spatial reports whether channels are the second axis of what a layer reads and computes, with a plane behind it. In
// matrices they are the last axis.
func (k Kind) Spatial() bool { return k == Conv || k == ConvTranspose }

// Biased reports whether a layer takes a bias as its third input.
func (k Kind) Biased() bool { return k != NoLayer && k != MatMul }

// Axes are the axes of the weights that count output channels, and input channels of a group. transposed is transB of a
// Gemm.
func (k Kind) Axes(transposed bool) (out, in int) {
	if k == ConvTranspose || k == MatMul || k == Gemm && !transposed {
		return 1, 0
	}
	return 0, 1
}
