package kernel

// Sums are taken in 16 lanes of float32 over blocks of sumBlock floats; lanes fold in halves, and blocks add up in
// float64. All instruction sets follow this order, so they agree to the bit. A block of 1024 keeps the chains at 64
// additions.
const (
	sumLanes = 16
	sumBlock = 1024
)

type lanes [sumLanes]float32

// fold adds lane i+8 to i, then i+4, i+2, i+1. Short rows spend their time here, hence no loop.
func (l *lanes) fold() float64 {
	a, b, c, d := l[0]+l[8], l[1]+l[9], l[2]+l[10], l[3]+l[11]
	e, f, g, h := l[4]+l[12], l[5]+l[13], l[6]+l[14], l[7]+l[15]
	a, b, c, d = a+e, b+f, c+g, d+h
	return float64((a + c) + (b + d))
}

// Sum is the sum of x in float64.
func Sum(x []float32) float64 {
	var total float64
	for len(x) > 0 {
		var l lanes
		b := x[:min(len(x), sumBlock)]
		for i := sumArch(b, &l); i < len(b); i++ {
			l[i%sumLanes] += b[i]
		}
		total += l.fold()
		x = x[len(b):]
	}
	return total
}

// Dot is the sum of x[i]*y[i].
func Dot(x, y []float32) float64 {
	sameLen("Dot", len(x), len(y))
	var total float64
	for len(x) > 0 {
		var l lanes
		n := min(len(x), sumBlock)
		for i := dotArch(x[:n], y, &l); i < n; i++ {
			l[i%sumLanes] += float32(x[i] * y[i])
		}
		total += l.fold()
		x, y = x[n:], y[n:]
	}
	return total
}

// SumSqDiff is the sum of (x[i]-y[i])^2.
func SumSqDiff(x, y []float32) float64 {
	sameLen("SumSqDiff", len(x), len(y))
	var total float64
	for len(x) > 0 {
		var l lanes
		n := min(len(x), sumBlock)
		for i := sumSqDiffArch(x[:n], y, &l); i < n; i++ {
			d := x[i] - y[i]
			l[i%sumLanes] += float32(d * d)
		}
		total += l.fold()
		x, y = x[n:], y[n:]
	}
	return total
}

// Moments returns the sums of x[i]-c and (x[i]-c)^2, what [NormStats] needs of a row.
func Moments(x []float32, c float32) (sum, sq float64) {
	for len(x) > 0 {
		var l, q lanes
		n := min(len(x), sumBlock)
		for i := momentsArch(c, x[:n], &l, &q); i < n; i++ {
			d := x[i] - c
			l[i%sumLanes] += d
			q[i%sumLanes] += float32(d * d)
		}
		sum += l.fold()
		sq += q.fold()
		x = x[n:]
	}
	return sum, sq
}

// GradMoments returns the sums of dy[i] and dy[i]*(x[i]-c), what [NormSums] needs of a row.
func GradMoments(x, dy []float32, c float32) (sum, dot float64) {
	for len(x) > 0 {
		var l, q lanes
		n := min(len(x), sumBlock)
		for i := gradMomentsArch(c, x[:n], dy, &l, &q); i < n; i++ {
			l[i%sumLanes] += dy[i]
			q[i%sumLanes] += float32(dy[i] * (x[i] - c))
		}
		sum += l.fold()
		dot += q.fold()
		x, dy = x[n:], dy[n:]
	}
	return sum, dot
}
