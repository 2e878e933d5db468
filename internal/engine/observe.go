package engine

import "time"

// Observer is called with the time that a node took, forward or backward. node is nil for the addition of gradients
// from several nodes.
type Observer func(node *Node, backward bool, took time.Duration)

// Observe sets the observer of all nodes; nil ends it. The clock is only read while there is one.
func (e *Exec) Observe(f Observer) { e.watch = f }

// start reads the clock if there is an observer.
func (f Observer) start() time.Time {
	if f == nil {
		return time.Time{}
	}
	return time.Now()
}

// stop reports the time since start.
func (f Observer) stop(start time.Time, node *Node, backward bool) {
	if f != nil {
		f(node, backward, time.Since(start))
	}
}
