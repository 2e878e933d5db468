package kernel

import (
	"math"
	"testing"
)

func poolShapes() []PoolShape {
	shapes := []PoolShape{
		{N: 2, C: 3, H: 8, W: 8, R: 2, S: 2, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1, OH: 4, OW: 4},
		{N: 1, C: 2, H: 33, W: 32, R: 2, S: 2, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1, OH: 16, OW: 16},
		{N: 1, C: 2, H: 9, W: 7, R: 3, S: 3, StrideH: 2, StrideW: 2, PadT: 1, PadL: 1, PadB: 1, PadR: 1, DilH: 1, DilW: 1, OH: 5, OW: 4},
		{N: 1, C: 2, H: 9, W: 7, R: 3, S: 2, StrideH: 1, StrideW: 1, PadT: 1, PadR: 1, DilH: 2, DilW: 1, OH: 6, OW: 7},
	}
	for _, s := range shapes {
		s.CountPad = true
		shapes = append(shapes, s)
	}
	return shapes
}

func TestMaxPool(t *testing.T) {
	for _, s := range poolShapes() {
		r := newRand(4)
		x, dy := normals(r, s.N*s.C*s.H*s.W), normals(r, s.N*s.C*s.OH*s.OW)
		y, dx, index := make([]float32, len(dy)), make([]float32, len(x)), make([]int32, len(dy))
		p := NewPooling(s)
		p.MaxForward(nil, x, y, index)
		p.MaxBackward(nil, dy, index, dx)
		want := make([]float32, len(x))
		for o := range dy {
			p, best, arg := o/(s.OH*s.OW), float32(math.Inf(-1)), -1
			for r := range s.R {
				for q := range s.S {
					iy, ix := o/s.OW%s.OH*s.StrideH-s.PadT+r*s.DilH, o%s.OW*s.StrideW-s.PadL+q*s.DilW
					if iy >= 0 && iy < s.H && ix >= 0 && ix < s.W {
						if at := (p*s.H+iy)*s.W + ix; x[at] > best {
							best, arg = x[at], at
						}
					}
				}
			}
			if y[o] != best {
				t.Fatalf("%+v: y[%d] = %v, want %v", s, o, y[o], best)
			}
			want[arg] += dy[o]
		}
		if err := sameBits(dx, want); err != nil {
			t.Fatalf("%+v: dx: %v", s, err)
		}
	}
}

func TestMaxPoolNaN(t *testing.T) {
	s := PoolShape{N: 1, C: 1, H: 1, W: 4, R: 1, S: 4, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, OH: 1, OW: 1}
	for at := range 4 {
		x, y, index := []float32{1, 2, 3, inf}, make([]float32, 1), make([]int32, 1)
		x[at] = nan
		NewPooling(s).MaxForward(nil, x, y, index)
		if y[0] == y[0] || index[0] != int32(at) {
			t.Errorf("NaN at %d: maximum %v at %d", at, y[0], index[0])
		}
	}
}

// TestAvgPool checks the definition, and that backward is the transpose of forward: <A x, dy> = <x, A' dy>.
func TestAvgPool(t *testing.T) {
	for _, s := range poolShapes() {
		r := newRand(4)
		x, dy := normals(r, s.N*s.C*s.H*s.W), normals(r, s.N*s.C*s.OH*s.OW)
		y, dx := make([]float32, len(dy)), make([]float32, len(x))
		p := NewPooling(s)
		p.AvgForward(nil, x, y)
		p.AvgBackward(nil, dy, dx)
		for o := range y {
			var sum, n float64
			for r := range s.R {
				for q := range s.S {
					iy, ix := o/s.OW%s.OH*s.StrideH-s.PadT+r*s.DilH, o%s.OW*s.StrideW-s.PadL+q*s.DilW
					inside := iy >= 0 && iy < s.H && ix >= 0 && ix < s.W
					if inside {
						sum += float64(x[(o/(s.OH*s.OW)*s.H+iy)*s.W+ix])
					}
					if inside || s.CountPad && iy < s.H+s.PadB && ix < s.W+s.PadR {
						n++
					}
				}
			}
			if !close32(y[o], sum/n, 1, 1e-6) {
				t.Fatalf("%+v: y[%d] = %v, want %v", s, o, y[o], sum/n)
			}
		}
		if a, b := Dot(y, dy), Dot(x, dx); math.Abs(a-b) > 1e-4 {
			t.Errorf("%+v: <y,dy> = %v but <x,dx> = %v", s, a, b)
		}
	}
}

func TestGlobalAvgPool(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 9}
	y, dx := make([]float32, 2), make([]float32, 6)
	GlobalAvgPoolForward(x, 2, 3, y)
	GlobalAvgPoolBackward([]float32{3, 6}, 2, 3, dx)
	if err := sameBits(y, []float32{2, 6}); err != nil {
		t.Error(err)
	}
	if err := sameBits(dx, []float32{1, 1, 1, 2, 2, 2}); err != nil {
		t.Error(err)
	}
}

func TestSoftmax(t *testing.T) {
	x := []float32{1, 2, 3, 1000, 1000, -1000}
	y, l := make([]float32, 6), make([]float32, 6)
	Softmax(x, 2, 3, y)
	LogSoftmax(x, 2, 3, l)
	z := math.Exp(-2) + math.Exp(-1) + 1
	for i, want := range []float64{math.Exp(-2) / z, math.Exp(-1) / z, 1 / z, 0.5, 0.5, 0} {
		if !close32(y[i], want, 1, 1e-7) || want > 0 && !close32(l[i], math.Log(want), 1, 1e-6) {
			t.Errorf("softmax[%d] = %v, log %v, want %v", i, y[i], l[i], want)
		}
	}
	dx := make([]float32, 6)
	dy := []float32{1, 0, 0, 0, 2, 0}
	SoftmaxGrad(y, dy, 2, 3, dx)
	for i := range dx {
		want := 0.0
		for j := range 3 {
			o := i/3*3 + j
			d := -float64(y[o]) * float64(y[i])
			if o == i {
				d += float64(y[i])
			}
			want += d * float64(dy[o])
		}
		if !close32(dx[i], want, 1, 1e-6) {
			t.Errorf("dx[%d] = %v, want %v", i, dx[i], want)
		}
	}
	LogSoftmaxGrad(l, dy, 2, 3, dx)
	for i := range dx {
		if want := float64(dy[i]) - float64(y[i])*[]float64{1, 2}[i/3]; !close32(dx[i], want, 1, 1e-6) {
			t.Errorf("gradient of the logarithm: dx[%d] = %v, want %v", i, dx[i], want)
		}
	}
}
