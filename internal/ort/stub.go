//go:build !cgo

package ort

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

// Remedy says what to do where onnxruntime is not available. No path of a library helps this program.
const Remedy = "build mpqc with CGO_ENABLED=1 and a C compiler, or take a release"

var errNoCgo = fmt.Errorf("%w: this program was built without cgo and opens no library, wherever there is one; %s", ErrNoRuntime, Remedy)

// Session is a model that onnxruntime has loaded; without cgo there is none.
type Session struct{}

// SetLibrary returns ErrNoRuntime: without cgo no library can be opened. An empty path is accepted.
func SetLibrary(path string) error {
	if path == "" {
		return nil
	}
	return errNoCgo
}

// Available returns ErrNoRuntime.
func Available() error { return errNoCgo }

// Version is empty.
func Version() string { return "" }

// Library is empty.
func Library() string { return "" }

// Providers returns ErrNoRuntime.
func Providers() ([]string, error) { return nil, errNoCgo }

// Open checks the options and the model's interface, then returns ErrNoRuntime.
func Open(model []byte, o Options) (*Session, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	if _, _, err := readInterface(model); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	return nil, errNoCgo
}

// SaveOptimized returns ErrNoRuntime.
func SaveOptimized(_ []byte, _, _ string) error { return errNoCgo }

// Inputs is empty.
func (*Session) Inputs() []Value { return nil }

// Outputs is empty.
func (*Session) Outputs() []Value { return nil }

// Close does nothing.
func (*Session) Close() error { return nil }

// Run returns ErrNoRuntime.
func (*Session) Run(context.Context, map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	return nil, errNoCgo
}

// RunFloats returns ErrNoRuntime.
func (*Session) RunFloats(context.Context, []float32, tensor.Shape) ([]Floats, error) {
	return nil, errNoCgo
}

// RunFloat returns ErrNoRuntime.
func (*Session) RunFloat(context.Context, []float32, tensor.Shape) ([]float32, tensor.Shape, error) {
	return nil, nil, errNoCgo
}
