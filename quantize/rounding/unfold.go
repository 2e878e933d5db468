package rounding

import "github.com/mpqc/mpqc/internal/kernel"

// unfold writes the matrix that a convolution multiplies the weights of one group with (im2col).
//
// dst is [C/Groups*R*S, OH*OW]: a row per weight, a column per output position, zeros for padding. x is one sample [C,
// H, W].
func unfold(dst, x []float32, s kernel.ConvShape, group int) {
	channels, row := s.C/s.Groups, 0
	for c := group * channels; c < (group+1)*channels; c++ {
		plane := x[c*s.H*s.W : (c+1)*s.H*s.W]
		for r := range s.R {
			for q := range s.S {
				shifted(dst[row*s.OH*s.OW:(row+1)*s.OH*s.OW], plane, s, r*s.DilH-s.PadT, q*s.DilW-s.PadL)
				row++
			}
		}
	}
}

// shifted writes dst [OH, OW], for every output position the element of a plane [H, W] at an offset from it, 0 outside.
func shifted(dst, plane []float32, s kernel.ConvShape, down, right int) {
	for oy := range s.OH {
		y, out := oy*s.StrideH+down, dst[oy*s.OW:(oy+1)*s.OW]
		if y < 0 || y >= s.H {
			clear(out)
			continue
		}
		line := plane[y*s.W : (y+1)*s.W]
		for ox := range out {
			out[ox] = 0
			if at := ox*s.StrideW + right; at >= 0 && at < s.W {
				out[ox] = line[at]
			}
		}
	}
}
