//go:build cgo

package ort

import (
	"fmt"

	runtime "github.com/yalue/onnxruntime_go"
)

// SaveOptimized writes the model as onnxruntime rewrites it for the CPU, all optimisations on, so that fused integer
// operators can be counted. The file is for this library version and machine only.
func SaveOptimized(model []byte, path string) (err error) {
	if err := Available(); err != nil {
		return err
	}
	inputs, outputs, err := readInterface(model)
	if err != nil {
		return fmt.Errorf("save optimised model: %w", err)
	}
	so, err := sessionOptions(Options{Optimize: true})
	if err != nil {
		return fmt.Errorf("save optimised model: %w", err)
	}
	defer so.Destroy() //nolint:errcheck // frees memory, cannot fail
	if err := so.SetOptimizedModelFilePath(path); err != nil {
		return fmt.Errorf("save optimised model %s: %w", path, err)
	}
	s, err := runtime.NewDynamicAdvancedSessionWithONNXData(model, names(inputs), names(outputs), so)
	if err != nil {
		return fmt.Errorf("save optimised model %s: %w", path, err)
	}
	return s.Destroy()
}
