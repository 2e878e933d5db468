// Package loss holds the loss functions of training as plain functions on arrays. Each returns the loss, a mean over
// the batch, and ADDS weight times its gradient to grad; a sum of losses needs no extra buffer. A nil grad asks for the
// loss only. Sums run in float64 in row order, so results do not depend on threads. Errors are about sizes.
package loss

import (
	"fmt"
	"math"
)

// rows checks the sizes of [N, classes] data and returns N.
func rows(what string, logits, grad []float32, classes int) (int, error) {
	if classes < 1 || len(logits) == 0 || len(logits)%classes != 0 {
		return 0, fmt.Errorf("compute %s: %d logits are not rows of %d classes", what, len(logits), classes)
	}
	if grad != nil && len(grad) != len(logits) {
		return 0, fmt.Errorf("compute %s: gradient has %d elements, logits have %d", what, len(grad), len(logits))
	}
	return len(logits) / classes, nil
}

// logSumExp is log(sum(exp(row))), computed around the maximum.
func logSumExp(row []float32) float64 {
	top := math.Inf(-1)
	for _, v := range row {
		top = max(top, float64(v))
	}
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}
