package scoring

import "github.com/mpqc/mpqc/pipeline/evaluation/metric"

// temperature softens class scores before they are compared. Without it a few unsure pictures decide: on 256 pictures,
// divergences at 3 bit then correlate with those on many pictures at 0.61, softened at 0.73.
const temperature = 2

// Distances are those of every picture's outputs [pictures, values] to the widest policy's, with softened class scores.
func (e *Evaluator) Distances(outputs []float32) []float64 {
	out := make([]float64, e.n)
	row := e.o.Outputs.Row()
	for i := range out {
		out[i] = e.o.Outputs.Distance(e.widest[i*row:(i+1)*row], outputs[i*row:(i+1)*row], e.spread, temperature)
	}
	return out
}

// loss is the mean of the distances.
func (e *Evaluator) loss(outputs []float32) float64 {
	var sum float64
	for _, d := range e.Distances(outputs) {
		sum += d
	}
	return sum / float64(max(e.n, 1))
}

// Guess is the loss of a network that says the same of every picture: the mean of what the widest policy says.
func (e *Evaluator) Guess() float64 {
	row := e.o.Outputs.Row()
	mean := make([]float64, row)
	for i, v := range e.widest {
		mean[i%row] += float64(v) / float64(e.n)
	}
	same := make([]float32, len(e.widest))
	for i := range same {
		same[i] = float32(mean[i%row])
	}
	return e.loss(same)
}

// Top1 is the share of right predictions, 0 without labels.
func (e *Evaluator) Top1(outputs []float32) float64 {
	if !e.o.Pictures.Labels {
		return 0
	}
	t := metric.Tally{Labels: true}
	t.Begin(e.o.Outputs) // labels without class scores were refused before
	t.Add(e.o.Outputs, outputs, e.n, e.labels)
	return *t.Share(t.Right)
}

// Agreement is the share of the pictures for which two networks, whose outputs on all of them these are, predict the same.
func (e *Evaluator) Agreement(a, b []float32) float64 {
	share, _ := e.o.Outputs.Agreement(a, b, e.n)
	return share
}
