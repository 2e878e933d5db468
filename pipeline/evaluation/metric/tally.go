package metric

import (
	"math"
	"slices"
)

// Tally sums metrics over samples, in float64 and in the order of the samples.
type Tally struct {
	N             int     // samples
	Right, Right5 int     // samples whose label has the largest score, or one of the five largest
	Loss          float64 // sum of cross-entropies; without labels, of the distance to the reference
	Labels        bool    // the samples have labels
	Hits          Hits    // one element per sample

	labelled int // index of the output that labels belong to
}

// Begin sets the outputs that the rows to come consist of. It is false if the samples have labels, but no output
// consists of class scores.
func (t *Tally) Begin(list Outputs) bool {
	t.labelled = list.Predicting()
	return !t.Labels || t.labelled >= 0
}

// Hits has a 1 for each sample that was predicted right, and a 0 for each other one. It is empty without labels.
type Hits []byte

// Misses returns 1 - hit for every sample, as a loss for paired comparisons.
func (h Hits) Misses() []float64 {
	out := make([]float64, len(h))
	for i, hit := range h {
		out[i] = 1 - float64(hit)
	}
	return out
}

// Add adds n rows [n, Row()] of the outputs given to Begin. labels may be nil.
func (t *Tally) Add(list Outputs, rows []float32, n int, labels []int32) {
	t.N += n
	if !t.Labels {
		return
	}
	row, o := list.Row(), list[t.labelled]
	for i := range n {
		t.label(rows[i*row+o.From:i*row+o.To], int(labels[i]))
	}
}

// label counts one sample with its class scores.
func (t *Tally) label(scores []float32, label int) {
	t.Hits = append(t.Hits, 0)
	if label < 0 || label >= len(scores) {
		return
	}
	t.Loss = bounded(t.Loss - logSoftmax(scores, label))
	if Argmax(scores) == label {
		t.Right++
		t.Hits[len(t.Hits)-1] = 1
	}
	if rankOf(scores, label) < 5 {
		t.Right5++
	}
}

// MeanLoss is the loss per sample.
func (t *Tally) MeanLoss() float64 { return t.Loss / float64(max(t.N, 1)) }

// Share is right/N, nil without labels.
func (t *Tally) Share(right int) *float64 {
	if !t.Labels || t.N == 0 {
		return nil
	}
	share := float64(right) / float64(t.N)
	return &share
}

// Argmax is the index of the largest element, the first of equal ones.
func Argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// rankOf is the position of x[i] in the order of descending values; equal values are ordered by index.
func rankOf(x []float32, i int) int {
	rank := 0
	for k, v := range x {
		if v > x[i] || v == x[i] && k < i {
			rank++
		}
	}
	return rank
}

// logSoftmax is the logarithm of the softmax probability of class i.
func logSoftmax(x []float32, i int) float64 { return float64(x[i]) - logSumExp(x) }

// logSumExp is log(sum(exp(x))), computed without overflow.
func logSumExp(x []float32) float64 {
	top := float64(slices.Max(x))
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// divergence is KL(p || q) of the softmax distributions of two rows of logits, in nats.
func divergence(p, q []float32) float64 {
	lp, lq := logSumExp(p), logSumExp(q)
	var sum float64
	for i := range p {
		a := float64(p[i]) - lp
		sum += math.Exp(a) * (a - (float64(q[i]) - lq))
	}
	return max(sum, 0)
}

// softDivergence is T^2 * KL(p || q) of two rows of logits divided by a temperature T. The factor T^2 keeps the scale
// of the gradient (Hinton et al., arXiv 1503.02531, section 2).
func softDivergence(p, q []float32, temperature float32) float64 {
	a, b := make([]float32, len(p)), make([]float32, len(q))
	for i := range p {
		a[i], b[i] = p[i]/temperature, q[i]/temperature
	}
	return divergence(a, b) * float64(temperature*temperature)
}
