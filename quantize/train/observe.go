package train

import (
	"time"

	"github.com/mpqc/mpqc/internal/engine"
)

// Observer is told where the time of a step goes: a kind of operator, or a part of the step outside the network such as
// "Loss" and "Update", and for operators whether it ran backward.
type Observer func(kind string, backward bool, took time.Duration)

// Observe has f told of every part of the following steps; nil ends it. The clock is read only while someone observes.
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

func (s *stopwatch) start() {
	if s.to != nil {
		s.last = time.Now()
	}
}

// lap reports the time since start or the lap before.
func (s *stopwatch) lap(part string) {
	if s.to == nil {
		return
	}
	now := time.Now()
	s.to(part, false, now.Sub(s.last))
	s.last = now
}
