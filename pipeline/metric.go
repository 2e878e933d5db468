package pipeline

import (
	"math"
	"slices"
)

// tally sums metrics over pictures in float64 and picture order.
type tally struct {
	n             int
	right, right5 int
	loss          float64 // without labels the distance to what was compared with
	labels        bool
	labelled      int // output that they belong to
	hits          hits
}

// hits has a 1 for each picture whose prediction was right and a 0 for each other one; it is empty without labels.
type hits []byte

// misses are the same as losses.
func (h hits) misses() []float64 {
	out := make([]float64, len(h))
	for i, hit := range h {
		out[i] = 1 - float64(hit)
	}
	return out
}

// add takes the rows of n pictures.
func (t *tally) add(list outputs, rows []float32, n int, labels []int32) {
	t.n += n
	if !t.labels {
		return
	}
	row, o := list.row(), list[t.labelled]
	for i := range n {
		t.label(rows[i*row+o.from:i*row+o.to], int(labels[i]))
	}
}

// label takes the class scores of a picture.
func (t *tally) label(scores []float32, label int) {
	t.hits = append(t.hits, 0)
	if label < 0 || label >= len(scores) {
		return
	}
	t.loss += -logSoftmax(scores, label)
	if argmax(scores) == label {
		t.right++
		t.hits[len(t.hits)-1] = 1
	}
	if rankOf(scores, label) < 5 {
		t.right5++
	}
}

func (t *tally) meanLoss() float64 { return t.loss / float64(max(t.n, 1)) }

// share is the share of right ones, nil without labels.
func (t *tally) share(right int) *float64 {
	if !t.labels || t.n == 0 {
		return nil
	}
	return ptr(float64(right) / float64(t.n))
}

// argmax is the first index of the largest element.
func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// rankOf counts the elements that stand before x[i] when sorted by value, descending, and index.
func rankOf(x []float32, i int) int {
	rank := 0
	for k, v := range x {
		if v > x[i] || v == x[i] && k < i {
			rank++
		}
	}
	return rank
}

// logSoftmax is the logarithm of the probability of class i.
func logSoftmax(x []float32, i int) float64 { return float64(x[i]) - logSumExp(x) }

func logSumExp(x []float32) float64 {
	top := float64(slices.Max(x))
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// divergence is KL(p || q) of the distributions that two rows of logits stand for, in nats.
func divergence(p, q []float32) float64 {
	lp, lq := logSumExp(p), logSumExp(q)
	var sum float64
	for i := range p {
		a := float64(p[i]) - lp
		sum += math.Exp(a) * (a - (float64(q[i]) - lq))
	}
	return max(sum, 0)
}

// softDivergence is KL(p || q) of two rows of logits at a temperature, times its square, which keeps the scale.
func softDivergence(p, q []float32, temperature float32) float64 {
	a, b := make([]float32, len(p)), make([]float32, len(q))
	for i := range p {
		a[i], b[i] = p[i]/temperature, q[i]/temperature
	}
	return divergence(a, b) * float64(temperature*temperature)
}
