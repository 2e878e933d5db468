package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
)

// intData is an integer convolution with its operands on grids, and the outputs by the definition.
type intData struct {
	s           ConvShape
	signed      bool
	stepX       float32
	stepW, x, w []float32
	y           []float32
}

func newIntData(s ConvShape, signed bool, seed uint64) intData {
	r := newRand(seed)
	d := intData{
		s: s, signed: signed, stepX: float32(math.Exp(r.NormFloat64())), stepW: make([]float32, s.K),
		x: make([]float32, s.N*s.C*s.H*s.W), w: make([]float32, s.K*s.C/s.Groups*s.R*s.S), y: make([]float32, s.N*s.K*s.OH*s.OW),
	}
	for k := range d.stepW {
		d.stepW[k] = float32(math.Exp(r.NormFloat64()))
	}
	draw := func(lo, hi int) int32 {
		switch r.IntN(4) { // products of extremes are what saturates
		case 0:
			return int32(lo)
		case 1:
			return int32(hi)
		default:
			return int32(lo + r.IntN(hi-lo+1))
		}
	}
	x, w, sums := make([]int32, len(d.x)), make([]int32, len(d.w)), make([]int32, len(d.y))
	for i := range x {
		x[i] = draw(0, 255)
		if signed {
			x[i] -= 128
		}
		d.x[i] = float32(x[i]) * d.stepX
	}
	for i := range w {
		w[i] = draw(-128, 127)
		d.w[i] = float32(w[i]) * d.stepW[i/(len(w)/s.K)]
	}
	naiveConv(s, func(ix, iw, iy int) { sums[iy] += x[ix] * w[iw] })
	for i, v := range sums {
		k := i / (s.OH * s.OW) % s.K
		d.y[i] = float32(v) * float32(float64(d.stepX)*float64(d.stepW[k]))
	}
	return d
}

// forward computes y between canaries, twice to see that nothing is left over from the call before.
func (d intData) forward(t *testing.T, pool *par.Pool) []float32 {
	t.Helper()
	s := d.s
	c := NewIntConv(s, d.signed, pool.Threads())
	c.Weights(pool, guardedCopy(d.w, 2).data(), d.stepW, len(d.w)/s.K, s.R*s.S)
	scratch, y := newGuarded(c.Scratch(), 7), newGuarded(len(d.y), 1)
	for range 2 {
		c.Forward(pool, guardedCopy(d.x, 1).data(), d.stepX, y.data(), scratch.data())
	}
	scratch.check(t)
	y.check(t)
	return y.data()
}

func TestIntConv(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	for _, c := range convCases() {
		t.Run(c.name, func(t *testing.T) {
			for _, signed := range []bool{false, true} {
				d := newIntData(c.s, signed, uint64(c.s.MACs()))
				eachISA(t, func(t *testing.T) {
					if err := sameBits(d.forward(t, pool), d.y); err != nil {
						t.Errorf("signed %v: %v", signed, err)
					}
				})
			}
		})
	}
}

// TestIntConvSizes goes through rows of every length, and every number of channels around the lanes and the rows of a
// tile.
func TestIntConvSizes(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for n := 1; n <= 67; n++ {
			for _, s := range []ConvShape{
				withPads(square(1, 3, 4, 3, 3, 1, 1, 1, 1), 2, n, 1, 1, 1, 1),
				withPads(square(2, n, 1+n/3, 3, 1, 1, 0, 1, 1), 1, 68-n, 0, 0, 0, 0),
			} {
				d := newIntData(s, n%2 == 0, uint64(n))
				if err := sameBits(d.forward(t, nil), d.y); err != nil {
					t.Fatalf("%+v: %v", s, err)
				}
			}
		}
	})
}

func TestIntConvThreadIndependent(t *testing.T) {
	for _, s := range []ConvShape{square(37, 9, 20, 8, 3, 1, 1, 1, 1), square(1, 16, 64, 9, 3, 2, 1, 1, 2), square(1, 64, 70, 1, 1, 1, 0, 1, 1)} {
		d := newIntData(s, true, 1)
		eachISA(t, func(t *testing.T) {
			for _, threads := range []int{1, 2, 3, 8} {
				pool := par.New(threads)
				got := d.forward(t, pool)
				pool.Close()
				if err := sameBits(got, d.y); err != nil {
					t.Errorf("%d threads: %v", threads, err)
				}
			}
		})
	}
}

// TestIntConvOffGrid: an input that is no code spoils its image and its group, a weight that is none its channel.
func TestIntConvOffGrid(t *testing.T) {
	const groups = 2
	for _, s := range []ConvShape{square(3, 6, 8, 9, 3, 1, 1, 1, groups), square(40, 6, 8, 4, 1, 1, 0, 1, groups), square(19, 6, 8, 2, 3, 1, 1, 1, groups)} {
		for _, bad := range []float32{nan, inf, -inf, 1e30, 300, -150} {
			d := newIntData(s, true, 1)
			kg, plane := s.K/groups, s.OH*s.OW
			d.x[(1*s.C+5)*s.H*s.W+3] = bad * d.stepX // image 1, group 1
			d.w[len(d.w)/s.K*2+1] = bad * d.stepW[2]
			eachISA(t, func(t *testing.T) {
				for i, v := range d.forward(t, nil) {
					image, k := i/plane/s.K, i/plane%s.K
					want := d.y[i]
					if image == 1 && k/kg == 1 || k == 2 {
						want = nan
					}
					if err := sameBits([]float32{v}, []float32{want}); err != nil {
						t.Fatalf("%v: image %d, channel %d: %v", bad, image, k, err)
					}
				}
			})
		}
	}
}

func TestIntConvAllocatesNothing(t *testing.T) {
	s := square(4, 8, 8, 9, 3, 1, 1, 1, 1)
	d := newIntData(s, false, 1)
	c := NewIntConv(s, d.signed, 1)
	scratch, y := make([]float32, c.Scratch()), make([]float32, len(d.y))
	n := testing.AllocsPerRun(10, func() {
		c.Weights(nil, d.w, d.stepW, len(d.w)/s.K, s.R*s.S)
		c.Forward(nil, d.x, d.stepX, y, scratch)
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzIntConv(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Add(uint64(0x123456789abcdef), uint64(7))
	f.Fuzz(func(t *testing.T, bits, more uint64) {
		s, ok := drawConv(bits, more)
		if !ok {
			t.Skip("the filter does not fit")
		}
		d := newIntData(s, bits%2 == 0, more)
		for _, isa := range Available() {
			restore, err := Override(isa)
			if err != nil {
				t.Fatal(err)
			}
			if err := sameBits(d.forward(t, nil), d.y); err != nil {
				t.Errorf("%v, %+v: %v", isa, s, err)
			}
			restore()
		}
	})
}

// BenchmarkIntConv runs the integer and the float forward pass in turn on layers of ResNet-20, ResNet-18 and
// MobileNetV2 (samples of 64 pixels) and reports how many times as fast the integers are.
func BenchmarkIntConv(b *testing.B) {
	shapes := []ConvShape{
		square(64, 3, 16, 32, 3, 1, 1, 1, 1), square(64, 16, 16, 32, 3, 1, 1, 1, 1), square(64, 16, 32, 32, 3, 2, 1, 1, 1), square(64, 32, 32, 16, 3, 1, 1, 1, 1), square(64, 64, 64, 8, 3, 1, 1, 1, 1),
		square(64, 3, 64, 64, 7, 2, 3, 1, 1), square(64, 64, 64, 16, 3, 1, 1, 1, 1), square(64, 128, 128, 8, 3, 1, 1, 1, 1), square(64, 256, 256, 4, 3, 1, 1, 1, 1), square(64, 512, 512, 2, 3, 1, 1, 1, 1),
		square(64, 16, 96, 32, 1, 1, 0, 1, 1), square(64, 96, 96, 32, 3, 2, 1, 1, 96), square(64, 144, 144, 16, 3, 1, 1, 1, 144), square(64, 144, 24, 16, 1, 1, 0, 1, 1), square(64, 384, 64, 4, 1, 1, 0, 1, 1), square(64, 320, 1280, 2, 1, 1, 0, 1, 1),
	}
	for _, threads := range []int{1, 2} {
		pool := par.New(threads)
		defer pool.Close()
		for _, s := range shapes {
			d := newIntData(withImages(s, 1), false, 1)
			x := make([]float32, 0, s.N*len(d.x))
			for range s.N {
				x = append(x, d.x...)
			}
			y := make([]float32, s.N*len(d.y))
			c := NewIntConv(s, false, threads)
			scratch := make([]float32, max(ConvScratch(s, threads), c.Scratch()))
			b.Run(fmt.Sprintf("n%d_c%d_k%d_%d_f%d_s%d_g%d/t%d", s.N, s.C, s.K, s.H, s.R, s.StrideH, s.Groups, threads), func(b *testing.B) {
				var float, integer stopwatch
				for b.Loop() {
					float.time(func() { ConvForward(pool, s, x, d.w, y, scratch) })
					integer.time(func() {
						c.Weights(pool, d.w, d.stepW, len(d.w)/s.K, s.R*s.S)
						c.Forward(pool, x, d.stepX, y, scratch)
					})
				}
				b.ReportMetric(2*float64(s.MACs())/integer.median()/1e9, "GOP/s")
				b.ReportMetric(float.median()/integer.median(), "times_float")
			})
		}
	}
}

func withImages(s ConvShape, n int) ConvShape {
	s.N = n
	return s
}

// TestIntConvOffset: ranges -zero..255-zero give the sums of the definition, and values beyond them are refused.
func TestIntConvOffset(t *testing.T) {
	s := square(2, 9, 7, 8, 3, 1, 1, 1, 1)
	for _, zero := range []int{0, 1, 37, 128, 255} {
		d := newIntData(s, false, uint64(zero)+1)
		for i := range d.x {
			d.x[i] -= float32(zero) * d.stepX
			d.x[i] = float32(math.Round(float64(d.x[i]/d.stepX))) * d.stepX // exactly on the grid
		}
		sums := make([]float64, len(d.y))
		naiveConv(s, func(ix, iw, iy int) {
			sums[iy] += math.Round(float64(d.x[ix]/d.stepX)) * math.Round(float64(d.w[iw]/d.stepW[iw/(len(d.w)/s.K)]))
		})
		for i, v := range sums {
			d.y[i] = float32(v) * float32(float64(d.stepX)*float64(d.stepW[i/(s.OH*s.OW)%s.K]))
		}
		eachISA(t, func(t *testing.T) {
			c := NewIntConv(s, true, 1)
			c.Offset(zero)
			c.Weights(nil, d.w, d.stepW, len(d.w)/s.K, s.R*s.S)
			y := make([]float32, len(d.y))
			c.Forward(nil, d.x, d.stepX, y, make([]float32, c.Scratch()))
			if err := sameBits(y, d.y); err != nil {
				t.Errorf("zero %d: %v", zero, err)
			}
			x := append([]float32(nil), d.x...)
			x[0] = float32(256-zero) * d.stepX
			c.Forward(nil, x, d.stepX, y, make([]float32, c.Scratch()))
			if y[0] == y[0] {
				t.Errorf("zero %d: a value above the range went through", zero)
			}
		})
	}
}
