package train

import (
	"time"

	"github.com/mpqc/mpqc/internal/engine"
)

// Observer is called with the time that a part of a step took. kind is an operator, or a part outside the network such
// as "Loss" and "Update". backward tells the two directions of an operator apart.
type Observer func(kind string, backward bool, took time.Duration)

// Observe sets the observer of the following steps; nil ends it. The clock is only read while there is one.
func (t *Trainer) Observe(f Observer) {
	t.watch = stopwatch{to: f}
	if f == nil {
		t.exec.Observe(nil)
		return
	}
	t.exec.Observe(func(n *engine.Node, backward bool, took time.Duration) {
		kind := "AddGradients"
		if n != nil {
			kind = n.Op.Type()
		}
		f(kind, backward, took)
	})
}

// stopwatch measures the parts of a step that lie between runs of the network.
type stopwatch struct {
	to   Observer
	last time.Time
}

// start begins a part.
func (s *stopwatch) start() {
	if s.to != nil {
		s.last = time.Now()
	}
}

// lap reports the time since start or the last lap.
func (s *stopwatch) lap(part string) {
	if s.to == nil {
		return
	}
	now := time.Now()
	s.to(part, false, now.Sub(s.last))
	s.last = now
}
