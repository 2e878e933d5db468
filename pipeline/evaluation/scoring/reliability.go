package scoring

import (
	"context"
	"sync"

	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/quantize"
)

// Reliability says how well scores distinguish policies of one budget. It is the correlation, over policies, of their
// mean scores on two halves of the samples. 1 means that the choice of samples does not matter, 0 that scores are
// noise.
type Reliability struct {
	Loss float64  `json:"loss"` // distance to the widest policy, which the search minimises
	Top1 *float64 `json:"top1"` // share of wrong predictions, nil without labels
}

// Reliability scores policies on the samples with even and with odd index and correlates the two.
func (e *Evaluator) Reliability(ctx context.Context, ps []quantize.Policy) (*Reliability, error) {
	loss, wrong := halves{}.sized(len(ps)), halves{}.sized(len(ps))
	var scores metric.Output
	if e.o.Samples.Labels {
		scores = e.o.Outputs[e.o.Outputs.Predicting()]
	}
	var mu sync.Mutex
	err := e.Each(ctx, ps, func(i int, outputs []float32) {
		mu.Lock()
		defer mu.Unlock()
		row := len(outputs) / max(e.n, 1)
		for k, d := range e.Distances(outputs) {
			loss[k%2][i] += d
			if e.o.Samples.Labels && metric.Argmax(outputs[k*row+scores.From:k*row+scores.To]) != int(e.labels[k]) {
				wrong[k%2][i]++
			}
		}
	})
	if err != nil {
		return nil, err
	}
	r := &Reliability{Loss: metric.Correlation(loss[0], loss[1])}
	if e.o.Samples.Labels {
		r.Top1 = new(metric.Correlation(wrong[0], wrong[1]))
	}
	return r, nil
}

// halves are sums over the samples with even and with odd index, per policy.
type halves [2][]float64

// sized returns halves for n policies.
func (halves) sized(n int) halves { return halves{make([]float64, n), make([]float64, n)} }
