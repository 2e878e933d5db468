//go:build !cgo

package ort

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

// Remedy says what to do where onnxruntime is not available. No path of a library helps this program.
const Remedy = "build mpqc with CGO_ENABLED=1 and a C compiler, or take a release"

// errNoCgo is the ErrNoRuntime of a program without cgo.
var errNoCgo = fmt.Errorf("%w: this program was built without cgo and opens no library, wherever there is one; %s", ErrNoRuntime, Remedy)

// Session is a model that onnxruntime has loaded. Run is safe for concurrent use; Close is not.
type Session struct{}

// SetLibrary sets the path of the shared library; "" means the usual places. It is an error if another library runs
// already, or without cgo.
func SetLibrary(path string) error {
	if path == "" {
		return nil
	}
	return errNoCgo
}

// Available starts onnxruntime if needed. The error wraps ErrNoRuntime and says why it cannot be used.
func Available() error { return errNoCgo }

// Version is the version of the library, such as "1.28.2"; "" while none runs.
func Version() string { return "" }

// Library is the path of the library that runs; "" while none does.
func Library() string { return "" }

// Providers lists the execution providers that the library can start on this machine, the CPU first. The binding does
// not expose the library's own list, so each is tried on temporary options.
func Providers() ([]string, error) { return nil, errNoCgo }

// Open loads a serialised model. External data is read from Options.Folder. It is an error if the options or the model
// are invalid. The error wraps ErrNoRuntime if there is no runtime.
func Open(model []byte, o Options) (*Session, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	if _, _, err := readInterface(model); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	return nil, errNoCgo
}

// SaveOptimized writes the model as onnxruntime rewrites it for the CPU with all optimisations, so that fused integer
// operators can be counted. The file is valid for this library version and machine only. External data is read from
// folder, and written beside path.
func SaveOptimized(_ []byte, _, _ string) error { return errNoCgo }

// Inputs is empty.
func (*Session) Inputs() []Value { return nil }

// Outputs is empty.
func (*Session) Outputs() []Value { return nil }

// Close does nothing.
func (*Session) Close() error { return nil }

// Run computes the session's outputs for inputs by name. Element types must be those of the model. A cancelled context
// stops the run between two nodes.
func (*Session) Run(context.Context, map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	return nil, errNoCgo
}

// RunFloats is RunFloat for all float32 outputs. It is an error if there is none.
func (*Session) RunFloats(context.Context, []float32, tensor.Shape) ([]Floats, error) {
	return nil, errNoCgo
}

// RunFloat computes the first output of a model with one float32 input x of the given shape, which is not copied. The
// result belongs to the caller.
func (*Session) RunFloat(context.Context, []float32, tensor.Shape) ([]float32, tensor.Shape, error) {
	return nil, nil, errNoCgo
}
