package kernel

// The functions here are what a training step does to each parameter after the backward pass.

// Approach computes y[i] += a*(x[i]-y[i]), a moving average of x.
func Approach(a float32, x, y []float32) {
	sameLen("Approach", len(x), len(y))
	for i := approachArch(a, x, y); i < len(x); i++ {
		y[i] += float32(a * (x[i] - y[i]))
	}
}

// AxpyOutside computes y[i] += a*x[i] wherever x[i] is not in [lo, hi]; NaN is not.
func AxpyOutside(a float32, x []float32, lo, hi float32, y []float32) {
	sameLen("AxpyOutside", len(x), len(y))
	for i := axpyOutsideArch(a, lo, hi, x, y); i < len(x); i++ {
		v := x[i]
		if v >= lo && v <= hi {
			v = 0
		}
		y[i] += float32(a * v)
	}
}

// Nesterov is a step of gradient descent with Nesterov's momentum on x with gradient g:
//
//	m[i] = mu*m[i] + g[i];  x[i] -= rate*(g[i] + mu*m[i])
func Nesterov(rate, mu float32, g, m, x []float32) {
	sameLen("Nesterov", len(x), len(g), len(m))
	for i := nesterovArch(rate, mu, g[:len(x)], m, x); i < len(x); i++ {
		m[i] = float32(mu*m[i]) + g[i]
		x[i] -= float32(rate * (g[i] + float32(mu*m[i])))
	}
}

// Pull draws weights toward their levels. With v = x[i]/s and the level rint(v), d is s*(v-level) where lo <= v <= hi
// and part*level is whole, else 0; part is a power of two. It adds a*d to g[i] and returns the sum of d^2 in the order
// of [Sum].
func Pull(x []float32, s, lo, hi, part, a float32, g []float32) (sum float64) {
	sameLen("Pull", len(x), len(g))
	for len(x) > 0 {
		var l lanes
		n := min(len(x), sumBlock)
		for i := pullArch(s, lo, hi, part, a, x[:n], g, &l); i < n; i++ {
			v := x[i] / s
			c := clamp(v, lo, hi)
			level := roundEven(c)
			var d float32
			if share := float32(level * part); c == v && roundEven(share) == share {
				d = float32((v - level) * s)
			}
			g[i] += float32(a * d)
			l[i%sumLanes] += float32(d * d)
		}
		sum += l.fold()
		x, g = x[n:], g[n:]
	}
	return sum
}
