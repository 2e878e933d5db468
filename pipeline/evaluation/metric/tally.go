package metric

import (
	"math"
	"slices"
)

// Tally sums metrics over pictures in float64 and picture order.
type Tally struct {
	N             int     // pictures
	Right, Right5 int     // whose label is the first of all scores, or among the first five
	Loss          float64 // without labels the distance to what was compared with
	Labels        bool
	Hits          Hits // behind Right

	labelled int // output that labels belong to
}

// Begin says what the rows to come consist of. It is false where pictures have labels and no output is for them.
func (t *Tally) Begin(list Outputs) bool {
	t.labelled = list.Predicting()
	return !t.Labels || t.labelled >= 0
}

// Hits has a 1 for each picture whose prediction was right and a 0 for each other one; it is empty without labels.
type Hits []byte

// Misses are the same as losses, for comparisons picture by picture.
func (h Hits) Misses() []float64 {
	out := make([]float64, len(h))
	for i, hit := range h {
		out[i] = 1 - float64(hit)
	}
	return out
}

// Add takes the rows of n pictures, of the outputs of Begin.
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

// label takes the class scores of a picture.
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

// MeanLoss is the loss per picture.
func (t *Tally) MeanLoss() float64 { return t.Loss / float64(max(t.N, 1)) }

// Share is the share of right ones, nil without labels.
func (t *Tally) Share(right int) *float64 {
	if !t.Labels || t.N == 0 {
		return nil
	}
	share := float64(right) / float64(t.N)
	return &share
}

// Argmax is the first index of the largest element.
func Argmax(x []float32) int {
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
