package kernel

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
)

func TestNormStats(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {70, 3, 16}, {2, 4, 1100}} {
			n, c, hw := s[0], s[1], s[2]
			x := normals(newRand(1), n*c*hw)
			for i := range x {
				x[i] += 1000 // an offset that makes E[x^2]-E[x]^2 useless in float32
			}
			mean, variance := make([]float32, c), make([]float32, c)
			NormStats(pool, x, n, c, hw, mean, variance)
			for ch := range c {
				var sum, sq float64
				each(n, c, hw, ch, func(i int) { sum += float64(x[i]) })
				m := sum / float64(n*hw)
				each(n, c, hw, ch, func(i int) { sq += (float64(x[i]) - m) * (float64(x[i]) - m) })
				if v := sq / float64(n*hw); !close32(mean[ch], m, m, 1e-7) || !close32(variance[ch], v, v+1e-6, 1e-4) {
					t.Errorf("%v: mean, variance = %v, %v, want %v, %v", s, mean[ch], variance[ch], m, v)
				}
			}
		}
	})
}

func each(n, c, hw, ch int, f func(i int)) {
	for b := range n {
		for i := range hw {
			f((b*c+ch)*hw + i)
		}
	}
}

// normLoss is Σ weight * batchnorm(x) in float64, the oracle of the gradients by central differences.
func normLoss(x []float64, weight []float32, n, c, hw int, gamma, beta []float64, eps float64) float64 {
	var loss float64
	for ch := range c {
		var sum, sq float64
		each(n, c, hw, ch, func(i int) { sum += x[i] })
		m := sum / float64(n*hw)
		each(n, c, hw, ch, func(i int) { sq += (x[i] - m) * (x[i] - m) })
		inv := 1 / math.Sqrt(sq/float64(n*hw)+eps)
		each(n, c, hw, ch, func(i int) { loss += float64(weight[i]) * ((x[i]-m)*inv*gamma[ch] + beta[ch]) })
	}
	return loss
}

func TestNormBackward(t *testing.T) {
	const n, c, hw, eps = 3, 2, 9, 1e-5
	r := newRand(9)
	x, dy, gamma, beta := normals(r, n*c*hw), normals(r, n*c*hw), normals(r, c), normals(r, c)
	wide := func(v []float32) []float64 {
		out := make([]float64, len(v))
		for i := range v {
			out[i] = float64(v[i])
		}
		return out
	}
	slope := func(v []float64, i int, loss func() float64) float64 {
		const h = 1e-4
		old := v[i]
		v[i] = old + h
		up := loss()
		v[i] = old - h
		down := loss()
		v[i] = old
		return (up - down) / (2 * h)
	}
	eachISA(t, func(t *testing.T) {
		mean, variance, inv := make([]float32, c), make([]float32, c), make([]float32, c)
		NormStats(nil, x, n, c, hw, mean, variance)
		for i := range inv {
			inv[i] = float32(1 / math.Sqrt(float64(variance[i])+eps))
		}
		dg, db, dx := make([]float32, c), make([]float32, c), make([]float32, len(x))
		NormBackward(nil, x, dy, n, c, hw, mean, inv, gamma, false, dg, db, dx)
		fx, fg, fb := wide(x), wide(gamma), wide(beta)
		loss := func() float64 { return normLoss(fx, dy, n, c, hw, fg, fb, eps) }
		for i := range dx {
			if want := slope(fx, i, loss); !close32(dx[i], want, 1, 1e-4) {
				t.Fatalf("dx[%d] = %v, want %v", i, dx[i], want)
			}
		}
		for i := range c {
			if want := slope(fg, i, loss); !close32(dg[i], want, 1, 1e-4) {
				t.Errorf("dgamma[%d] = %v, want %v", i, dg[i], want)
			}
			if want := slope(fb, i, loss); !close32(db[i], want, 1, 1e-4) {
				t.Errorf("dbeta[%d] = %v, want %v", i, db[i], want)
			}
		}
		NormBackward(nil, x, dy, n, c, hw, mean, inv, gamma, true, dg, db, dx)
		for i, v := range dx {
			if want := gamma[i/hw%c] * inv[i/hw%c] * dy[i]; v != want {
				t.Fatalf("frozen dx[%d] = %v, want %v", i, v, want)
			}
		}
	})
}

func TestNormApply(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const n, c, hw = 2, 3, 19
		x, y := normals(newRand(1), n*c*hw), make([]float32, n*c*hw)
		scale, shift := []float32{1, 2, 3}, []float32{-1, 0, 1}
		NormApply(nil, x, n, c, hw, scale, shift, y)
		for i, v := range y {
			if want := float32(x[i]*scale[i/hw%c]) + shift[i/hw%c]; v != want {
				t.Fatalf("y[%d] = %v, want %v", i, v, want)
			}
		}
	})
}
