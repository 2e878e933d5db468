package ops

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
)

// LogSoftmax is y = x - log(sum(exp(x))) along Axis; dx = dy - exp(y)*sum(dy).
type LogSoftmax struct{ Softmax }

// Type is "LogSoftmax".
func (*LogSoftmax) Type() string { return "LogSoftmax" }

// Forward computes y.
func (o *LogSoftmax) Forward(t *engine.Task) { o.forward(t, kernel.LogSoftmax) }

// Backward computes dx.
func (o *LogSoftmax) Backward(t *engine.Task) { o.backward(t, kernel.LogSoftmaxGrad) }

func buildLogSoftmax(a Attributes) (engine.Op, error) {
	return &LogSoftmax{Softmax{Axis: a.Int("axis", -1)}}, nil
}
