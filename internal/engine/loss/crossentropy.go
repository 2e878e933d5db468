package loss

import (
	"fmt"
	"math"
)

// CrossEntropy is the mean over rows of -sum_c q_c*log(softmax(logits)_c). q is 1-smoothing at the label, plus
// smoothing/classes everywhere, as in PyTorch. logits are [N, classes] with N = len(labels).
//
// weight*dL is added to grad [N, classes] unless that is nil. The returned loss does not include weight. A label
// outside [0, classes) is an error.
func CrossEntropy(logits []float32, labels []int32, classes int, smoothing, weight float32, grad []float32) (float64, error) {
	n, err := rows("cross-entropy", logits, grad, classes)
	if err != nil {
		return 0, err
	}
	if len(labels) != n {
		return 0, fmt.Errorf("compute cross-entropy: %d labels for %d rows", len(labels), n)
	}
	for i, l := range labels {
		if l < 0 || int(l) >= classes {
			return 0, fmt.Errorf("compute cross-entropy: label %d of row %d is outside 0..%d", l, i, classes-1)
		}
	}
	eps := float64(smoothing)
	scale, base := float64(weight)/float64(n), eps/float64(classes)
	total := 0.0
	for i, l := range labels {
		row := logits[i*classes : (i+1)*classes]
		lse := logSumExp(row)
		total += (1 - eps) * (lse - float64(row[l]))
		if eps != 0 {
			for _, v := range row {
				total += base * (lse - float64(v))
			}
		}
		if grad == nil {
			continue
		}
		g := grad[i*classes : (i+1)*classes]
		for c, v := range row {
			g[c] += float32(scale * (math.Exp(float64(v)-lse) - base))
		}
		g[l] -= float32(scale * (1 - eps))
	}
	return total / float64(n), nil
}
