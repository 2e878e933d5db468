package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
)

type convCase struct {
	name string
	s    ConvShape
}

// square is a shape with equal strides, pads and dilations on both axes.
func square(n, c, k, size, filter, stride, pad, dil, groups int) ConvShape {
	s := ConvShape{
		N: n, C: c, H: size, W: size, K: k, R: filter, S: filter, StrideH: stride, StrideW: stride,
		PadT: pad, PadL: pad, PadB: pad, PadR: pad, DilH: dil, DilW: dil, Groups: groups,
	}
	s.OH, s.OW = s.OutputSize()
	return s
}

func withPads(s ConvShape, h, w, top, left, bottom, right int) ConvShape {
	s.H, s.W, s.PadT, s.PadL, s.PadB, s.PadR = h, w, top, left, bottom, right
	s.OH, s.OW = s.OutputSize()
	return s
}

func convCases() []convCase {
	uneven := square(2, 3, 5, 9, 3, 1, 1, 1, 1)
	uneven.StrideH, uneven.StrideW, uneven.DilH, uneven.DilW, uneven.R = 2, 3, 2, 1, 2
	return []convCase{
		{"3x3 as in resnet 32", square(3, 16, 16, 32, 3, 1, 1, 1, 1)},
		{"3x3 16", square(3, 8, 17, 16, 3, 1, 1, 1, 1)},
		{"3x3 8", square(19, 13, 9, 8, 3, 1, 1, 1, 1)},
		{"3x3 7", square(2, 5, 6, 7, 3, 1, 1, 1, 1)},
		{"3x3 4", square(5, 5, 29, 4, 3, 1, 1, 1, 1)},
		{"3x3 4 abreast", square(11, 5, 29, 4, 3, 1, 1, 1, 1)},
		{"3x3 2 abreast", square(19, 5, 9, 2, 3, 1, 1, 1, 1)},
		{"3x3 3 abreast", square(8, 2, 3, 3, 3, 1, 1, 1, 1)},
		{"3x3 7 abreast", square(9, 3, 2, 7, 3, 1, 1, 1, 1)},
		{"3x3 stride 2 abreast", square(21, 6, 18, 4, 3, 2, 1, 1, 1)},
		{"3x3 stride 2 odd abreast", square(9, 6, 7, 5, 3, 2, 1, 1, 1)},
		{"1x1 stride 2 abreast", square(9, 6, 7, 4, 1, 2, 0, 1, 1)},
		{"5x5 dilated stride 3 abreast", square(17, 3, 4, 6, 5, 3, 4, 2, 1)},
		{"1x1 abreast", square(17, 7, 20, 4, 1, 1, 0, 1, 1)},
		{"1x1 one pixel abreast", square(77, 12, 20, 1, 1, 1, 0, 1, 1)},
		{"two groups abreast", square(10, 8, 6, 3, 3, 1, 1, 1, 2)},
		{"two groups strided abreast", square(10, 6, 32, 4, 3, 2, 1, 1, 2)},
		{"3x3 on one pixel", square(2, 3, 4, 1, 3, 1, 1, 1, 1)},
		{"3x3 stride 2", square(2, 8, 10, 16, 3, 2, 1, 1, 1)},
		{"3x3 stride 2 odd", square(2, 8, 10, 15, 3, 2, 1, 1, 1)},
		{"3x3 stride 2 wide", square(1, 2, 3, 33, 3, 2, 1, 1, 1)},
		{"stem 7x7", square(1, 3, 11, 37, 7, 2, 3, 1, 1)},
		{"patch 4x4 stride 4", square(2, 3, 8, 17, 4, 4, 0, 1, 1)},
		{"1x1", square(2, 12, 20, 14, 1, 1, 0, 1, 1)},
		{"1x1 tiny plane", square(3, 12, 20, 2, 1, 1, 0, 1, 1)},
		{"1x1 one pixel", square(9, 12, 20, 1, 1, 1, 0, 1, 1)},
		{"1x1 stride 2", square(2, 6, 7, 18, 1, 2, 0, 1, 1)},
		{"1x1 padded", square(2, 6, 7, 9, 1, 1, 2, 1, 1)},
		{"dilated", square(2, 4, 5, 13, 3, 1, 2, 2, 1)},
		{"dilated strided", square(2, 4, 5, 19, 3, 2, 2, 2, 1)},
		{"dilation 3 stride 2", square(1, 4, 5, 20, 3, 2, 3, 3, 1)},
		{"stride 3 filter 2", square(1, 4, 5, 20, 2, 3, 0, 1, 1)},
		{"large pad", square(1, 2, 3, 5, 3, 1, 4, 1, 1)},
		{"even filter", square(2, 3, 4, 10, 4, 1, 1, 1, 1)},
		{"valid", square(2, 3, 4, 12, 5, 1, 0, 1, 1)},
		{"uneven pads", withPads(square(2, 3, 4, 12, 3, 1, 0, 1, 1), 11, 21, 0, 2, 1, 0)},
		{"uneven pads strided", withPads(square(2, 3, 4, 12, 3, 2, 0, 1, 1), 13, 30, 0, 0, 1, 1)},
		{"wide", withPads(square(2, 3, 4, 12, 3, 1, 0, 1, 1), 3, 70, 1, 1, 1, 1)},
		{"tall", withPads(square(2, 3, 4, 12, 3, 1, 0, 1, 1), 70, 3, 1, 1, 1, 1)},
		{"uneven everything", withPads(uneven, 12, 29, 1, 2, 0, 1)},
		{"1d", ConvShape{N: 2, C: 3, H: 1, W: 50, K: 4, R: 1, S: 5, StrideH: 1, StrideW: 1, PadL: 2, PadR: 2, DilH: 1, DilW: 1, Groups: 1, OH: 1, OW: 50}},
		{"two groups", square(2, 8, 6, 9, 3, 1, 1, 1, 2)},
		{"two groups strided", square(2, 8, 6, 16, 3, 2, 1, 1, 2)},
		{"groups of 1x1", square(2, 12, 18, 8, 1, 1, 0, 1, 3)},
		{"depthwise", square(2, 5, 5, 17, 3, 1, 1, 1, 5)},
		{"depthwise 32", square(11, 3, 3, 32, 3, 1, 1, 1, 3)},
		{"depthwise 16", square(18, 3, 3, 16, 3, 1, 1, 1, 3)},
		{"depthwise one row", withPads(square(3, 4, 4, 12, 3, 1, 0, 1, 4), 1, 20, 1, 1, 1, 1)},
		{"depthwise two rows", withPads(square(3, 4, 4, 12, 3, 1, 0, 1, 4), 2, 33, 1, 1, 1, 1)},
		{"depthwise 112", square(1, 2, 2, 112, 3, 1, 1, 1, 2)},
		{"depthwise 7", square(3, 4, 4, 7, 3, 1, 1, 1, 4)},
		{"depthwise stride 2", square(2, 5, 5, 16, 3, 2, 1, 1, 5)},
		{"depthwise stride 2 odd", square(2, 5, 5, 19, 3, 2, 1, 1, 5)},
		{"depthwise 5x5", square(2, 5, 5, 12, 5, 1, 2, 1, 5)},
		{"depthwise 5x5 stride 2", square(2, 3, 3, 23, 5, 2, 2, 1, 3)},
		{"depthwise dilated", square(2, 3, 3, 11, 3, 1, 2, 2, 3)},
		{"depthwise uneven", withPads(square(2, 3, 3, 12, 3, 2, 0, 1, 3), 9, 14, 0, 2, 1, 0)},
		{"depthwise 2 abreast", square(19, 3, 3, 2, 3, 1, 1, 1, 3)},
		{"depthwise stride 2 abreast", square(11, 3, 3, 4, 3, 2, 1, 1, 3)},
		{"depthwise 5x5 abreast", square(35, 2, 2, 3, 5, 1, 2, 1, 2)},
		{"depthwise 8 abreast", square(9, 5, 5, 8, 3, 1, 1, 1, 5)},
		{"depthwise 2, several tasks", square(35, 80, 80, 2, 3, 1, 1, 1, 80)},
		{"depthwise 32, long sums", square(66, 2, 2, 32, 3, 1, 1, 1, 2)},
		{"depthwise 8x4 stride 2 abreast", withPads(square(12, 20, 20, 8, 3, 2, 0, 1, 20), 8, 4, 1, 1, 1, 0)},
		{"stem abreast", square(33, 3, 5, 6, 3, 1, 1, 1, 1)},
		{"1x1 swapped", square(5, 16, 70, 12, 1, 1, 0, 1, 1)},
		{"1x1 swapped, two groups", square(21, 34, 64, 5, 1, 1, 0, 1, 2)},
		{"1x1 shared turn", square(45, 19, 40, 4, 1, 1, 0, 1, 1)},
		{"3x3 shared turn, two groups", square(33, 18, 66, 3, 3, 2, 1, 1, 2)},
		{"multiplier 2 abreast", square(13, 4, 8, 4, 3, 1, 1, 1, 4)},
		{"multiplier 2", square(2, 4, 8, 9, 3, 1, 1, 1, 4)},
		{"no images", square(0, 4, 8, 9, 3, 1, 1, 1, 1)},
	}
}

// naiveConv visits every product of the convolution.
func naiveConv(s ConvShape, f func(x, w, y int)) {
	cg, kg := s.C/s.Groups, s.K/s.Groups
	for n := range s.N {
		for k := range s.K {
			for oy := range s.OH {
				for ox := range s.OW {
					y := ((n*s.K+k)*s.OH+oy)*s.OW + ox
					for c := range cg {
						for r := range s.R {
							for q := range s.S {
								iy, ix := oy*s.StrideH-s.PadT+r*s.DilH, ox*s.StrideW-s.PadL+q*s.DilW
								if iy >= 0 && iy < s.H && ix >= 0 && ix < s.W {
									f(((n*s.C+k/kg*cg+c)*s.H+iy)*s.W+ix, ((k*cg+c)*s.R+r)*s.S+q, y)
								}
							}
						}
					}
				}
			}
		}
	}
}

type convData struct {
	x, w, dy             []float32
	y, dx, dw            []float64
	yScale, dxScale, dwS []float64
}

func newConvData(s ConvShape) convData {
	r := newRand(uint64(s.MACs()))
	nx, nw, ny := s.N*s.C*s.H*s.W, s.K*s.C/s.Groups*s.R*s.S, s.N*s.K*s.OH*s.OW
	d := convData{
		normals(r, nx), normals(r, nw), normals(r, ny), make([]float64, ny), make([]float64, nx), make([]float64, nw),
		make([]float64, ny), make([]float64, nx), make([]float64, nw),
	}
	naiveConv(s, func(x, w, y int) {
		fx, fw, fy := float64(d.x[x]), float64(d.w[w]), float64(d.dy[y])
		d.y[y] += fx * fw
		d.yScale[y] += math.Abs(fx * fw)
		d.dx[x] += fy * fw
		d.dxScale[x] += math.Abs(fy * fw)
		d.dw[w] += fx * fy
		d.dwS[w] += math.Abs(fx * fy)
	})
	return d
}

func compare(t *testing.T, what string, got guarded, want, scale []float64) {
	t.Helper()
	got.check(t)
	for i, v := range got.data() {
		if !close32(v, want[i], scale[i], 3e-6) {
			t.Fatalf("%s[%d] = %v, want %v", what, i, v, want[i])
		}
	}
}

func TestConv(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	for _, c := range convCases() {
		t.Run(c.name, func(t *testing.T) {
			d := newConvData(c.s)
			eachISA(t, func(t *testing.T) {
				x, w, dy := guardedCopy(d.x, 1).data(), guardedCopy(d.w, 2).data(), guardedCopy(d.dy, 3).data()
				scratch := newGuarded(ConvScratch(c.s, pool.Threads()), 7)
				y, dx, dw := newGuarded(len(dy), 1), newGuarded(len(x), 2), newGuarded(len(w), 3)
				ConvForward(pool, c.s, x, w, y.data(), scratch.data())
				scratch.check(t)
				compare(t, "y", y, d.y, d.yScale)
				ConvBackwardData(pool, c.s, w, dy, dx.data(), scratch.data())
				scratch.check(t)
				compare(t, "dx", dx, d.dx, d.dxScale)
				ConvBackwardWeight(pool, c.s, x, dy, dw.data(), scratch.data())
				scratch.check(t)
				compare(t, "dw", dw, d.dw, d.dwS)
			})
		})
	}
}

func TestConvThreadIndependent(t *testing.T) {
	for _, s := range []ConvShape{
		square(37, 9, 20, 8, 3, 1, 1, 1, 1), square(3, 16, 40, 15, 3, 2, 1, 1, 2), square(21, 24, 24, 9, 3, 1, 1, 1, 24), square(45, 70, 70, 4, 3, 2, 1, 1, 70), square(41, 16, 50, 4, 3, 1, 1, 1, 1),
		square(20, 24, 96, 9, 1, 1, 0, 1, 1),
	} {
		d := newConvData(s)
		eachISA(t, func(t *testing.T) {
			var want [3][]float32
			for _, threads := range []int{1, 2, 3, 8} {
				pool := par.New(threads)
				y, dx, dw := make([]float32, len(d.dy)), make([]float32, len(d.x)), make([]float32, len(d.w))
				ConvForward(pool, s, d.x, d.w, y, nil)
				ConvBackwardData(pool, s, d.w, d.dy, dx, nil)
				ConvBackwardWeight(pool, s, d.x, d.dy, dw, nil)
				pool.Close()
				for i, got := range [][]float32{y, dx, dw} {
					if threads == 1 {
						want[i] = got
					} else if err := sameBits(got, want[i]); err != nil {
						t.Errorf("%+v, %d threads, pass %d: %v", s, threads, i, err)
					}
				}
			}
		})
	}
}

// TestConvPropagatesNaN: a NaN reaches the outputs whose window holds it, and no other.
func TestConvPropagatesNaN(t *testing.T) {
	for _, s := range []ConvShape{square(2, 3, 4, 9, 3, 1, 1, 1, 1), square(2, 3, 4, 9, 3, 2, 1, 1, 1), square(2, 4, 4, 9, 3, 1, 1, 1, 4)} {
		d := newConvData(s)
		hit := make([]bool, len(d.dy))
		at := s.W + 1
		d.x[at] = float32(math.NaN())
		naiveConv(s, func(x, _, y int) { hit[y] = hit[y] || x == at })
		eachISA(t, func(t *testing.T) {
			y := make([]float32, len(d.dy))
			ConvForward(nil, s, d.x, d.w, y, nil)
			for i, v := range y {
				if (v != v) != hit[i] {
					t.Fatalf("%+v: y[%d] = %v, NaN wanted: %v", s, i, v, hit[i])
				}
			}
		})
	}
}

func TestBias(t *testing.T) {
	r := newRand(2)
	const n, k, hw = 3, 5, 7
	y, b, db := normals(r, n*k*hw), normals(r, k), make([]float32, k)
	before := append([]float32(nil), y...)
	BiasForward(nil, y, n, k, hw, b)
	BiasBackward(nil, before, n, k, hw, db)
	sums := make([]float64, k)
	for i, v := range before {
		if want := v + b[i/hw%k]; y[i] != want {
			t.Fatalf("y[%d] = %v, want %v", i, y[i], want)
		}
		sums[i/hw%k] += float64(v)
	}
	for i, v := range db {
		if !close32(v, sums[i], 10, 1e-6) {
			t.Errorf("db[%d] = %v, want %v", i, v, sums[i])
		}
	}
}

func BenchmarkConv(b *testing.B) {
	shapes := []ConvShape{
		square(128, 16, 16, 32, 3, 1, 1, 1, 1), square(128, 32, 32, 16, 3, 1, 1, 1, 1), square(128, 64, 64, 8, 3, 1, 1, 1, 1),
		square(64, 64, 64, 32, 3, 1, 1, 1, 1), square(128, 16, 32, 32, 3, 2, 1, 1, 1), square(128, 3, 16, 32, 3, 1, 1, 1, 1), square(64, 64, 256, 16, 1, 1, 0, 1, 1),
		square(64, 512, 512, 2, 3, 1, 1, 1, 1), square(64, 256, 512, 4, 3, 2, 1, 1, 1), square(64, 320, 1280, 2, 1, 1, 0, 1, 1), square(16, 256, 256, 14, 3, 1, 1, 1, 1), square(64, 192, 192, 32, 3, 1, 1, 1, 192),
	}
	for _, threads := range []int{1, 2} {
		pool := par.New(threads)
		defer pool.Close()
		for _, s := range shapes {
			r := newRand(1)
			x, w, y := normals(r, s.N*s.C*s.H*s.W), normals(r, s.K*s.C/s.Groups*s.R*s.S), normals(r, s.N*s.K*s.OH*s.OW)
			scratch := make([]float32, ConvScratch(s, threads))
			for _, pass := range []struct {
				name string
				run  func()
			}{
				{"forward", func() { ConvForward(pool, s, x, w, y, scratch) }},
				{"data", func() { ConvBackwardData(pool, s, w, y, x, scratch) }},
				{"weight", func() { ConvBackwardWeight(pool, s, x, y, w, scratch) }},
			} {
				name := fmt.Sprintf("%s/n%d_c%d_k%d_%d_f%d_s%d_g%d/t%d", pass.name, s.N, s.C, s.K, s.H, s.R, s.StrideH, s.Groups, threads)
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						pass.run()
					}
					b.ReportMetric(2*float64(s.MACs())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
