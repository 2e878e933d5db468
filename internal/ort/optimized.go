//go:build cgo

package ort

import (
	"fmt"
	"path/filepath"

	runtime "github.com/yalue/onnxruntime_go"
)

// SaveOptimized writes the model as onnxruntime rewrites it for the CPU with all optimisations, so that fused integer
// operators can be counted. The file is valid for this library version and machine only. External data is read from
// folder, and written beside path.
func SaveOptimized(model []byte, path, folder string) (err error) {
	if err := Available(); err != nil {
		return err
	}
	inputs, outputs, err := readInterface(model)
	if err != nil {
		return fmt.Errorf("save optimised model: %w", err)
	}
	o := Options{Optimize: true, Folder: folder}
	if folder != "" {
		o.Config = map[string]string{"session.optimized_model_external_initializers_file_name": filepath.Base(path) + ".data"}
	}
	so, err := sessionOptions(o)
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
