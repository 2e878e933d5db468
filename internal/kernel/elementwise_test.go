package kernel

import (
	"fmt"
	"math"
	"testing"
)

// specials are the values that vector and scalar code most easily treat differently.
var specials = []float32{0, negZero, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 127.5, 255, 256, 1e30, -1e30, 1e-42, inf, -inf, nan, 3.4999998, -0.49999997}

func mixed(n int, seed uint64) []float32 {
	r := newRand(seed)
	x := normals(r, n)
	for i := range x {
		if r.IntN(4) == 0 {
			x[i] = specials[r.IntN(len(specials))]
		}
	}
	return x
}

// elementwise names each kernel of two inputs and one output with the scalar it must equal to the bit.
var elementwise = []struct {
	name   string
	run    func(x, y, z []float32)
	scalar func(x, y float32) float32
}{
	{"Add", func(x, y, z []float32) { Add(x, y, z) }, func(x, y float32) float32 { return x + y }},
	{"Mul", func(x, y, z []float32) { Mul(x, y, z) }, func(x, y float32) float32 { return x * y }},
	{"Axpy", func(x, y, z []float32) { copy(z, y); Axpy(0.3, x, z) }, func(x, y float32) float32 { return y + float32(0.3*x) }},
	{"Scale", func(x, _, z []float32) { Scale(-1.7, x, z) }, func(x, _ float32) float32 { return -1.7 * x }},
	{"ScaleShift", func(x, _, z []float32) { ScaleShift(-1.7, 0.9, x, z) }, func(x, _ float32) float32 { return float32(-1.7*x) + 0.9 }},
	{"Combine", func(x, y, z []float32) { Combine(0.7, x, -0.2, y, 1.1, z) }, func(x, y float32) float32 { return float32(0.7*x) + float32(-0.2*y) + 1.1 }},
	{"Relu", func(x, _, z []float32) { Relu(x, z) }, func(x, _ float32) float32 { return clamp(x, 0, inf) }},
	{"Clip", func(x, _, z []float32) { Clip(x, -0.5, 1.5, z) }, func(x, _ float32) float32 { return clamp(x, -0.5, 1.5) }},
	{"ReluGrad", func(x, y, z []float32) { ReluGrad(x, y, z) }, func(x, y float32) float32 { return gradIf(x > 0 && x < inf, y) }},
	{"ClipGrad", func(x, y, z []float32) { ClipGrad(x, y, -0.5, 1.5, z) }, func(x, y float32) float32 { return gradIf(x > -0.5 && x < 1.5, y) }},
	{"FakeQuant", func(x, _, z []float32) { FakeQuant(x, 0.3, -8, 7, z) }, func(x, _ float32) float32 { return 0.3 * roundEven(clamp(x/0.3, -8, 7)) }},
	{"FakeQuantGrad", func(x, y, z []float32) { FakeQuantGrad(x, y, 0.5, -4, 3, z) }, func(x, y float32) float32 { return gradIf(x/0.5 >= -4 && x/0.5 <= 3, y) }},
	{"MulAdd", func(x, y, z []float32) { MulAdd(x, y, x, z) }, func(x, y float32) float32 { return float32(x*y) + x }},
	{"CombineColumns", func(x, y, z []float32) { CombineColumns(x, y, y, y, x, z) }, func(x, y float32) float32 {
		return float32(x*y) + float32(y*y) + x
	}},
	{"ColumnMoments", func(x, y, z []float32) { clear(z); ColumnMoments(x, y, z, make([]float32, len(z))) }, func(x, y float32) float32 { return 0 + (x - y) }},
	{"ColumnMoments squares", func(x, y, z []float32) { copy(z, y); ColumnMoments(x, y, make([]float32, len(z)), z) }, func(x, y float32) float32 {
		return y + float32((x-y)*(x-y))
	}},
	{"ColumnGradMoments", func(x, y, z []float32) { copy(z, x); ColumnGradMoments(x, y, x, z, make([]float32, len(z))) }, func(x, y float32) float32 { return x + y }},
	{"ColumnGradMoments dots", func(x, y, z []float32) { copy(z, x); ColumnGradMoments(x, y, y, make([]float32, len(z)), z) }, func(x, y float32) float32 {
		return x + float32(y*(x-y))
	}},
	{"Approach", func(x, y, z []float32) { copy(z, y); Approach(0.3, x, z) }, func(x, y float32) float32 { return y + float32(0.3*(x-y)) }},
	{"AxpyOutside", func(x, y, z []float32) { copy(z, y); AxpyOutside(0.3, x, -1, 0.5, z) }, func(x, y float32) float32 {
		return y + float32(0.3*gradIf(!(x >= -1 && x <= 0.5), x))
	}},
	{"Nesterov", func(x, y, z []float32) {
		clear(z)
		Nesterov(0.1, 0.9, x, append([]float32(nil), y...), z)
	}, func(x, y float32) float32 { return 0 - float32(0.1*(x+float32(0.9*(float32(0.9*y)+x)))) }},
	{"Pull", func(x, y, z []float32) { copy(z, y); Pull(x, 0.5, -4, 3, 0.5, 2, z) }, func(x, y float32) float32 {
		v := x / 0.5
		level := roundEven(v)
		return y + gradIf(v >= -4 && v <= 3 && int(level)%2 == 0, 2*((v-level)*0.5))
	}},
}

// accumulating are the kernels that cannot run in place.
var accumulating = map[string]bool{
	"Axpy": true, "MulAdd": true, "CombineColumns": true, "ColumnMoments": true, "ColumnMoments squares": true,
	"ColumnGradMoments": true, "ColumnGradMoments dots": true, "Approach": true, "AxpyOutside": true, "Nesterov": true, "Pull": true,
}

func gradIf(pass bool, g float32) float32 {
	if pass {
		return g
	}
	return 0
}

// lengths are all short lengths, and some that reach the unrolled loops and block borders.
func lengths() []int {
	var all []int
	for n := range 68 {
		all = append(all, n)
	}
	return append(all, 100, 255, 1000, 1024, 1025, 2100)
}

func TestElementwise(t *testing.T) {
	for _, k := range elementwise {
		t.Run(k.name, func(t *testing.T) {
			eachISA(t, func(t *testing.T) {
				for _, n := range lengths() {
					x, y := mixed(n, uint64(n)), mixed(n, uint64(n)+1)
					gx, gy, gz := guardedCopy(x, n%3), guardedCopy(y, n%5), newGuarded(n, n%7)
					k.run(gx.data(), gy.data(), gz.data())
					want := make([]float32, n)
					for i := range want {
						want[i] = k.scalar(x[i], y[i])
					}
					if err := sameBits(gz.data(), want); err != nil {
						t.Fatalf("n=%d: %v", n, err)
					}
					gx.check(t)
					gy.check(t)
					gz.check(t)
					if err := sameBits(gx.data(), x); err != nil {
						t.Fatalf("input changed: %v", err)
					}
					k.run(gx.data(), gy.data(), gx.data()) // in place
					if accumulating[k.name] {
						continue
					}
					if err := sameBits(gx.data(), want); err != nil {
						t.Fatalf("in place, n=%d: %v", n, err)
					}
				}
			})
		})
	}
}

// TestFakeQuantHalves pins ties to even on every code border.
func TestFakeQuantHalves(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for code := -9; code <= 9; code++ {
			x := float32(code) + 0.5
			got := make([]float32, 1)
			FakeQuant([]float32{x * 0.25}, 0.25, -8, 7, got)
			want := min(max(math.RoundToEven(float64(x)), -8), 7) * 0.25
			if float64(got[0]) != want {
				t.Errorf("FakeQuant(%v) = %v, want %v", x*0.25, got[0], want)
			}
		}
	})
}

func TestSums(t *testing.T) {
	for _, n := range append(lengths(), 5000) {
		r := newRand(uint64(n))
		x, y := normals(r, n), normals(r, n)
		var sum, sq, dot, diff, m1, m2, g2, ds, pull float64
		const c, s, lo, hi = 0.25, 0.5, -2, 1
		for i := range x {
			a, b := float64(x[i]), float64(y[i])
			sum, sq, dot, diff = sum+a, sq+a*a, dot+a*b, diff+(a-b)*(a-b)
			m1, m2, g2 = m1+a-c, m2+(a-c)*(a-c), g2+b*(a-c)
			v := a / s
			ds += b * (math.RoundToEven(min(max(v, lo), hi)) - map[bool]float64{true: v}[v >= lo && v <= hi])
			if d := v - math.RoundToEven(v); v >= lo && v <= hi && int(v-d)%2 == 0 {
				pull += d * d * s * s
			}
		}
		var first []float64
		eachISA(t, func(t *testing.T) {
			mSum, mSq := Moments(x, c)
			gSum, gDot := GradMoments(x, y, c)
			got := []float64{
				Sum(x), Dot(x, x), Dot(x, y), SumSqDiff(x, y), mSum, mSq, gSum, gDot, FakeQuantGrad(x, y, s, lo, hi, make([]float32, n)),
				Pull(x, s, lo, hi, 0.5, 1, make([]float32, n)),
			}
			for i, want := range []float64{sum, sq, dot, diff, m1, m2, Sum(y), g2, ds, pull} {
				if math.Abs(got[i]-want) > 1e-5*(1+float64(n)) {
					t.Fatalf("n=%d: sum %d is %v, want %v", n, i, got[i], want)
				}
			}
			if first == nil {
				first = got
			}
			for i, want := range first {
				if got[i] != want {
					t.Fatalf("n=%d: sum %d is %v here and %v in Go", n, i, got[i], want)
				}
			}
		})
	}
}

func BenchmarkElementwise(b *testing.B) {
	const n = 1 << 15 // 128 KiB per slice: in L2, so that the kernel is measured and not the memory
	r := newRand(1)
	x, y, z := normals(r, n), normals(r, n), make([]float32, n)
	for _, isa := range Available() {
		restore, err := Override(isa)
		if err != nil {
			b.Fatal(err)
		}
		for _, k := range elementwise {
			b.Run(fmt.Sprintf("%s/%v", k.name, isa), func(b *testing.B) {
				b.SetBytes(n * 4)
				for b.Loop() {
					k.run(x, y, z)
				}
			})
		}
		b.Run(fmt.Sprintf("moments/%v", isa), func(b *testing.B) {
			b.SetBytes(n * 4)
			for b.Loop() {
				Moments(x, 0.1)
			}
		})
		b.Run(fmt.Sprintf("gradMoments/%v", isa), func(b *testing.B) {
			b.SetBytes(n * 4)
			for b.Loop() {
				GradMoments(x, y, 0.1)
			}
		})
		restore()
	}
}
