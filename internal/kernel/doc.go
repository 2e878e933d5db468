// Package kernel holds the numeric loops that training spends its time in: matrix product, convolution with its two
// gradients, normalisation, fake quantization, pooling and element-wise arithmetic, all on plain float32 slices.
//
// The doc comment of a function is the scalar loop it computes. Every function has a Go version that is always
// compiled; on amd64 the hot ones have AVX-512 and AVX2 versions, chosen once at start (see [Active]). Sizes are
// checked once at the top and a wrong one panics, because only the caller's code can get it wrong; values (NaN, Inf,
// empty slices) never panic.
//
// Results do not depend on the number of threads: a sum is always taken over partitions fixed by the shape and added up
// in one order. Between instruction sets the element-wise functions are bit-equal, while matrix products and
// convolutions differ by rounding (fused or unfused multiply-add).
package kernel
