package engine

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/par"
)

// Options of Compile.
type Options struct {
	Batch    int       // largest batch; replaces the unknown leading dimension of the inputs
	Training bool      // plan a backward sweep too
	Pool     *par.Pool // nil: the calling goroutine
	Keep     []*Value  // values that stay readable after Forward, besides inputs and outputs

	unfused bool // run every node by itself: the oracle of fused ones
	apart   bool // share no memory between buffers: the oracle of the planner's tests
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
