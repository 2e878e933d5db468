package engine

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/memory"
	"github.com/mpqc/mpqc/internal/par"
)

// Options of Compile.
type Options struct {
	Batch    int       // largest batch; replaces the unknown leading dimension of the inputs
	Training bool      // plan a backward sweep too
	Pool     *par.Pool // nil: the calling goroutine
	Keep     []*Value  // values that stay readable after Forward, besides inputs and outputs
	MaxBytes int64     // most bytes of buffers, more is an error; 0: the memory of the machine

	unfused bool // run every node by itself: the oracle for fused ones
	apart   bool // no memory is shared between buffers: the oracle for the planner
}

// limit is the most bytes of buffers. If the system does not tell its memory, it is 256 GiB: more comes from a file
// with an absurd shape.
func (o Options) limit() int64 {
	if o.MaxBytes > 0 {
		return o.MaxBytes
	}
	if total := memory.Total(); total > 0 {
		return total
	}
	return 256 << 30
}

// validate checks the options against the graph.
func (o Options) validate(g *Graph) error {
	if o.Batch < 1 {
		return fmt.Errorf("compile graph: batch %d is not positive", o.Batch)
	}
	if len(g.Outputs) == 0 {
		return fmt.Errorf("compile graph: it has no outputs")
	}
	for i, v := range o.Keep {
		if v == nil {
			return fmt.Errorf("compile graph: value %d to keep is nil", i)
		}
	}
	return nil
}
