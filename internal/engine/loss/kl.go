package loss

import (
	"fmt"
	"math"
)

// KL is the mean over rows of KL(softmax(teacher) || softmax(logits)), both [N, classes]. weight*dL/dlogits is added to
// grad unless that is nil. The teacher gets no gradient. The returned loss does not include weight.
func KL(teacher, logits []float32, classes int, weight float32, grad []float32) (float64, error) {
	n, err := rows("KL divergence", logits, grad, classes)
	if err != nil {
		return 0, err
	}
	if len(teacher) != len(logits) {
		return 0, fmt.Errorf("compute KL divergence: teacher has %d logits, student %d", len(teacher), len(logits))
	}
	scale := float64(weight) / float64(n)
	total := 0.0
	for i := range n {
		lo, hi := i*classes, (i+1)*classes
		t, s := teacher[lo:hi], logits[lo:hi]
		lt, ls := logSumExp(t), logSumExp(s)
		for c := range t {
			logP, logQ := float64(t[c])-lt, float64(s[c])-ls
			p := math.Exp(logP)
			if p > 0 { // the limit of p log p is 0
				total += p * (logP - logQ)
			}
			if grad != nil {
				grad[lo+c] += float32(scale * (math.Exp(logQ) - p))
			}
		}
	}
	return total / float64(n), nil
}
