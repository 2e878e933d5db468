package loss

import "fmt"

// MSE is the mean over all elements of (x-target)^2, for outputs that are not classifications. weight*dL is added to
// grad unless that is nil. The loss returned is not multiplied by weight.
func MSE(target, x []float32, weight float32, grad []float32) (float64, error) {
	if len(target) != len(x) || len(x) == 0 {
		return 0, fmt.Errorf("compute squared error: %d targets for %d elements", len(target), len(x))
	}
	if grad != nil && len(grad) != len(x) {
		return 0, fmt.Errorf("compute squared error: gradient has %d elements, output %d", len(grad), len(x))
	}
	scale := 2 * float64(weight) / float64(len(x))
	total := 0.0
	for i, v := range x {
		d := float64(v) - float64(target[i])
		total += d * d
		if grad != nil {
			grad[i] += float32(scale * d)
		}
	}
	return total / float64(len(x)), nil
}
