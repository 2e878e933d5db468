package scoring

import "sync/atomic"

// spent counts what evaluations took, summed over lanes.
type spent struct {
	pictures     atomic.Int64
	all, runtime atomic.Int64 // nanoseconds
}

// Spent is the number of pictures that candidates have run on, and the share of the time that was spent inside onnxruntime.
func (e *Evaluator) Spent() (pictures int, runtimeShare float64) {
	return int(e.spent.pictures.Load()), float64(e.spent.runtime.Load()) / float64(e.spent.all.Load())
}
