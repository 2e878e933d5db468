package engine

import "time"

// Observer is told how long each node of a run took, forward or backward; node is nil for the addition of gradients that
// several nodes contribute to.
type Observer func(node *Node, backward bool, took time.Duration)

// Observe has f told of the time of every node from now on; nil ends it. The clock is read only while someone observes.
func (e *Exec) Observe(f Observer) { e.watch = f }

func (f Observer) start() time.Time {
	if f == nil {
		return time.Time{}
	}
	return time.Now()
}

func (f Observer) stop(start time.Time, node *Node, backward bool) {
	if f != nil {
		f(node, backward, time.Since(start))
	}
}
