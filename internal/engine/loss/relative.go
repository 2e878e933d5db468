package loss

import "fmt"

// quietest bounds the spread of a channel from below, relative to the mean over all channels. An almost constant
// channel must not outweigh the others.
const quietest = 1e-3

// Spread returns what squared errors of an output x [n, channels, ...] are divided by: the variance of each channel
// over samples and positions, raised by Floor. It is an error if x has another size.
func Spread(x []float32, n, channels int) ([]float64, error) {
	if n < 1 || channels < 1 || len(x) == 0 || len(x)%(n*channels) != 0 {
		return nil, fmt.Errorf("compute spread: %d elements are not %d samples of %d channels", len(x), n, channels)
	}
	inner := len(x) / (n * channels)
	each := float64(n * inner)
	out, squares := make([]float64, channels), make([]float64, channels)
	for c := range out {
		var sum float64
		visit(x, n, channels, inner, c, func(part []float32) {
			for _, v := range part {
				sum += float64(v)
			}
		})
		mean := sum / each
		visit(x, n, channels, inner, c, func(part []float32) {
			for _, v := range part {
				out[c] += (float64(v) - mean) * (float64(v) - mean) / each
				squares[c] += float64(v) * float64(v) / each
			}
		})
	}
	Floor(out, squares)
	return out, nil
}

// Floor raises the variances of channels in place. squares are the mean squares of the channels. Each variance becomes
// at least quietest times their mean. If no channel varies, the mean square takes its place or, if that is 0, 1.
func Floor(variance, squares []float64) {
	var all, square float64
	for c, v := range variance {
		all += v / float64(len(variance))
		square += squares[c] / float64(len(variance))
	}
	low := quietest * all
	switch {
	case all > 0:
	case square > 0:
		low = square
	default:
		low = 1
	}
	for c := range variance {
		variance[c] = max(variance[c], low)
	}
}

// visit calls f with the elements of channel c, sample by sample.
func visit(x []float32, n, channels, inner, c int, f func([]float32)) {
	for i := range n {
		at := (i*channels + c) * inner
		f(x[at : at+inner])
	}
}

// Relative is the mean over all elements of (x-target)^2/spread of the target's channel, for x and target [n, channels,
// ...]. Outputs of any scale then count alike: predicting the mean of the target costs 1.
//
// weight*dL/dx is added to grad unless that is nil. The returned loss does not include weight.
func Relative(target, x []float32, n, channels int, weight float32, grad []float32) (float64, error) {
	if len(target) != len(x) || grad != nil && len(grad) != len(x) {
		return 0, fmt.Errorf("compute relative error: %d targets and a gradient of %d for %d elements", len(target), len(grad), len(x))
	}
	spread, err := Spread(target, n, channels)
	if err != nil {
		return 0, err
	}
	inner := len(x) / (n * channels)
	total, scale := 0.0, 2*float64(weight)/float64(len(x))
	for i, v := range x {
		d, s := float64(v)-float64(target[i]), spread[i/inner%channels]
		total += d * d / s
		if grad != nil {
			grad[i] += float32(scale * d / s)
		}
	}
	return total / float64(len(x)), nil
}
