package ort

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/internal/tensor"
)

// ErrNoRuntime is wrapped by every error that says that onnxruntime cannot be used: no library was found, none would
// load, or the program was built without cgo.
var ErrNoRuntime = errors.New("onnxruntime is not available")

// Execution providers, as Options.Provider takes them.
const (
	ProviderCPU      = "cpu"
	ProviderCUDA     = "cuda"
	ProviderTensorRT = "tensorrt"
)

// Options of a session. The zero value is one thread on the CPU, the graph as written, and all outputs.
type Options struct {
	// Threads is the number of intra-op threads. 0 means 1, which keeps sums in one order and lets sessions run in
	// parallel.
	Threads int
	// Optimize enables all graph optimisations of onnxruntime, including those that fuse integer kernels.
	Optimize bool
	// Provider is one of the Provider constants; "" is the CPU. What a GPU provider does not support runs on the CPU.
	Provider string
	// Outputs are the graph outputs to compute, in this order; nil means all.
	Outputs []string
	// Folder holds the external data of the model; "" if it has none.
	Folder string
	// Config holds further session settings by onnxruntime's keys, such as "session.disable_prepacking".
	Config map[string]string
}

// Validate lists everything that is wrong with the options, before any library is searched.
func (o Options) Validate() error {
	var errs []error
	if o.Threads < 0 {
		errs = append(errs, fmt.Errorf("threads must not be negative, got %d", o.Threads))
	}
	if all := []string{"", ProviderCPU, ProviderCUDA, ProviderTensorRT}; !slices.Contains(all, o.Provider) {
		errs = append(errs, fmt.Errorf("unknown provider %q (%s)", o.Provider, strings.Join(all[1:], ", ")))
	}
	return errors.Join(errs...)
}

// Value describes one input or output of a model. Unknown dimensions are -1; Shape is nil where the model states none.
type Value struct {
	Name  string
	DType tensor.DType
	Shape tensor.Shape
}

// Floats is a float32 output of one run.
type Floats struct {
	Name  string
	Data  []float32
	Shape tensor.Shape
}
