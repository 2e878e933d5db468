//go:build cgo

package ort

import (
	"fmt"
	"strings"

	runtime "github.com/yalue/onnxruntime_go"
)

// Providers lists the execution providers that the library can start on this machine, the CPU first. The binding does
// not expose the library's own list, so each is tried on temporary options.
func Providers() ([]string, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	all := []string{ProviderCPU}
	for _, p := range []string{ProviderCUDA, ProviderTensorRT} {
		o, err := runtime.NewSessionOptions()
		if err != nil {
			return nil, fmt.Errorf("create session options: %w", err)
		}
		if appendProvider(o, p) == nil {
			all = append(all, p)
		}
		if err := o.Destroy(); err != nil {
			return nil, fmt.Errorf("free session options: %w", err)
		}
	}
	return all, nil
}

// useProvider adds a provider to session options. The error lists those that exist.
func useProvider(o *runtime.SessionOptions, provider string) error {
	err := appendProvider(o, provider)
	if err == nil {
		return nil
	}
	have, listErr := Providers()
	if listErr != nil {
		return listErr
	}
	return fmt.Errorf("use provider %s: %w (this onnxruntime library offers %s)", provider, err, strings.Join(have, ", "))
}

// appendProvider adds a provider, and what it needs to run nodes that it does not support.
func appendProvider(o *runtime.SessionOptions, provider string) error {
	switch provider {
	case ProviderTensorRT:
		if err := appendTensorRT(o); err != nil {
			return err
		}
		return appendCUDA(o) // takes what TensorRT leaves
	case ProviderCUDA:
		return appendCUDA(o)
	default:
		return nil // the CPU is always there
	}
}

// appendCUDA adds the CUDA provider.
func appendCUDA(o *runtime.SessionOptions) error {
	c, err := runtime.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer c.Destroy() //nolint:errcheck // frees memory, cannot fail
	return o.AppendExecutionProviderCUDA(c)
}

// appendTensorRT adds the TensorRT provider.
func appendTensorRT(o *runtime.SessionOptions) error {
	t, err := runtime.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	defer t.Destroy() //nolint:errcheck // frees memory, cannot fail
	// TensorRT reads the scales of Q/DQ pairs only with int8 enabled.
	if err := t.Update(map[string]string{"trt_int8_enable": "1"}); err != nil {
		return err
	}
	return o.AppendExecutionProviderTensorRT(t)
}
