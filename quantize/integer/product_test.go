package integer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// TestProductIsExact compares the float kernels, whole and split, with integer loops.
func TestProductIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	tests := []struct {
		name  string
		shape tensor.Shape // of weights
		conv  kernel.ConvShape
		rows  int
		trans bool
		bits  int
		parts int
	}{
		{"conv", tensor.Shape{8, 6, 3, 3}, kernel.ConvShape{N: 1, C: 6, H: 9, W: 7, K: 8, R: 3, S: 3, StrideH: 2, StrideW: 1, PadT: 1, PadL: 1, PadB: 1, PadR: 0, DilH: 1, DilW: 1, Groups: 1}, 0, false, 8, 1},
		{"depthwise", tensor.Shape{6, 1, 3, 3}, kernel.ConvShape{N: 1, C: 6, H: 8, W: 8, K: 6, R: 3, S: 3, StrideH: 1, StrideW: 1, PadT: 1, PadL: 1, PadB: 1, PadR: 1, DilH: 1, DilW: 1, Groups: 6}, 0, false, 8, 1},
		{"dilated groups", tensor.Shape{4, 2, 3, 3}, kernel.ConvShape{N: 1, C: 4, H: 8, W: 8, K: 4, R: 3, S: 3, StrideH: 1, StrideW: 1, PadT: 2, PadL: 2, PadB: 2, PadR: 2, DilH: 2, DilW: 2, Groups: 2}, 0, false, 4, 1},
		{"conv of rows", tensor.Shape{8, 6, 3, 3}, kernel.ConvShape{N: 3, C: 6, H: 9, W: 7, K: 8, R: 3, S: 3, StrideH: 2, StrideW: 1, PadT: 1, PadL: 1, PadB: 1, PadR: 0, DilH: 1, DilW: 1, Groups: 1}, 0, false, 8, 1},
		{"split conv", tensor.Shape{3, 200, 3, 3}, kernel.ConvShape{N: 1, C: 200, H: 4, W: 4, K: 3, R: 3, S: 3, StrideH: 1, StrideW: 1, PadT: 1, PadL: 1, PadB: 1, PadR: 1, DilH: 1, DilW: 1, Groups: 1}, 0, false, 8, 2},
		{"rows", tensor.Shape{30, 5}, kernel.ConvShape{}, 3, false, 8, 1},
		{"columns", tensor.Shape{5, 30}, kernel.ConvShape{}, 1, true, 8, 1},
		{"split columns", tensor.Shape{2, 4000}, kernel.ConvShape{}, 2, true, 8, 2},
		{"loops", tensor.Shape{2, 20000}, kernel.ConvShape{}, 1, true, 8, 0},
	}
	for _, tt := range tests {
		for _, zero := range []uint8{0, 128} {
			t.Run(fmt.Sprintf("%s zero %d", tt.name, zero), func(t *testing.T) {
				axis := 0
				if len(tt.shape) == 2 && !tt.trans {
					axis = 1
				}
				l := &quantize.Layer{Shape: tt.shape, Axis: axis, OutChannels: tt.shape[axis]}
				p := product{conv: tt.conv, cols: l.OutChannels, rows: tt.rows, trans: tt.trans}
				n, size := 0, 0
				if tt.conv.K > 0 {
					p.conv.OH, p.conv.OW = p.conv.OutputSize()
					n, size = tt.conv.N*tt.conv.K*p.conv.OH*p.conv.OW, tt.conv.N*tt.conv.C*tt.conv.H*tt.conv.W
				} else {
					p.depth = tt.shape.Numel() / p.cols
					n, size = p.rows*p.cols, p.rows*p.depth
				}
				codes := make([]int8, tt.shape.Numel())
				lo, hi := quantize.Levels(tt.bits, true)
				for i := range codes {
					codes[i] = int8(lo + rng.IntN(hi-lo+1))
				}
				x := coded{grid: container(1, zero)}
				p.split(codes, l, magnitude(x.grid))
				// With zero point 128 the magnitudes halve, so that a wide layer may fit whole.
				if zero == 0 && len(p.parts) != tt.parts {
					t.Errorf("%d parts, want %d", len(p.parts), tt.parts)
				}
				w := &worker{convs: map[kernel.ConvShape]*kernel.Conv{}, codes: [][]uint8{randomCodes(rng, size)}, x: make([]float32, max(n, size)), sum: make([]float32, max(n, size)), acc: make([]int32, max(n, size)), scratch: make([]float32, p.scratch())}
				got := slices.Clone(p.run(w, x))
				direct := p
				direct.direct = codes
				if want := direct.run(w, x); !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got[:4], want[:4])
				}
			})
		}
	}
}
