//go:build cgo

package ort

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	goruntime "runtime"
	"slices"

	runtime "github.com/yalue/onnxruntime_go"

	"github.com/mpqc/mpqc/internal/tensor"
)

// Session is a model that onnxruntime has loaded. Run is safe for concurrent use; Close is not.
type Session struct {
	inner   *runtime.DynamicAdvancedSession
	inputs  []Value
	outputs []Value
}

// Open loads a serialised model. External data is read from Options.Folder. It is an error if the options or the model
// are invalid. The error wraps ErrNoRuntime if there is no runtime.
func Open(model []byte, o Options) (*Session, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	inputs, outputs, err := readInterface(model)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	if outputs, err = choose(outputs, o.Outputs); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	if err := Available(); err != nil {
		return nil, err
	}
	so, err := sessionOptions(o)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	defer so.Destroy() //nolint:errcheck // frees memory, cannot fail
	inner, err := runtime.NewDynamicAdvancedSessionWithONNXData(model, names(inputs), names(outputs), so)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	return &Session{inner: inner, inputs: inputs, outputs: outputs}, nil
}

// Inputs lists the inputs that Run needs.
func (s *Session) Inputs() []Value { return slices.Clone(s.inputs) }

// Outputs lists the outputs that Run computes.
func (s *Session) Outputs() []Value { return slices.Clone(s.outputs) }

// Close frees the session. Later calls do nothing.
func (s *Session) Close() error {
	if s.inner == nil {
		return nil
	}
	err := s.inner.Destroy()
	s.inner = nil
	return err
}

// Run computes the session's outputs for inputs by name. Element types must be those of the model. A cancelled context
// stops the run between two nodes.
func (s *Session) Run(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	values := make([]runtime.Value, len(s.inputs))
	defer func() { destroy(values) }()
	for i, v := range s.inputs {
		t := in[v.Name]
		if t != nil && t.DType != v.DType {
			return nil, fmt.Errorf("run session: input %q is %s, the model reads %s", v.Name, t.DType, v.DType)
		}
		wrapped, err := toRuntime(v.Name, t)
		if err != nil {
			return nil, fmt.Errorf("run session: %w", err)
		}
		values[i] = wrapped
	}
	outs, err := s.run(ctx, values)
	defer func() { destroy(outs) }()
	goruntime.KeepAlive(in)
	if err != nil {
		return nil, err
	}
	result := make(map[string]*tensor.Tensor, len(outs))
	for i, v := range s.outputs {
		if result[v.Name], err = fromRuntime(v.Name, outs[i]); err != nil {
			return nil, fmt.Errorf("run session: %w", err)
		}
	}
	return result, nil
}

// RunFloat computes the first output of a model with one float32 input x of the given shape, which is not copied. The
// result belongs to the caller.
func (s *Session) RunFloat(ctx context.Context, x []float32, shape tensor.Shape) ([]float32, tensor.Shape, error) {
	outs, err := s.RunFloats(ctx, x, shape)
	if err != nil {
		return nil, nil, err
	}
	if outs[0].Name != s.outputs[0].Name {
		return nil, nil, fmt.Errorf("run session: output %q is not float32", s.outputs[0].Name)
	}
	return outs[0].Data, outs[0].Shape, nil
}

// RunFloats is RunFloat for all float32 outputs. It is an error if there is none.
func (s *Session) RunFloats(ctx context.Context, x []float32, shape tensor.Shape) ([]Floats, error) {
	if len(s.inputs) != 1 || s.inputs[0].DType != tensor.Float32 {
		return nil, fmt.Errorf("run session: the model reads %d inputs, not one of float32", len(s.inputs))
	}
	if shape.Numel() != len(x) || len(x) == 0 {
		return nil, fmt.Errorf("run session: %d values for an input of shape %s", len(x), shape)
	}
	v, err := runtime.NewTensor(toShape(shape), x)
	if err != nil {
		return nil, fmt.Errorf("run session: %w", err)
	}
	values := []runtime.Value{v}
	defer destroy(values)
	outs, err := s.run(ctx, values)
	defer func() { destroy(outs) }()
	goruntime.KeepAlive(x)
	if err != nil {
		return nil, err
	}
	var result []Floats
	for i, out := range outs {
		if y, ok := out.(*runtime.Tensor[float32]); ok {
			result = append(result, Floats{s.outputs[i].Name, y.GetData(), fromShape(y.GetShape())})
		}
	}
	if len(result) == 0 {
		return nil, fmt.Errorf("run session: no output is float32, %q is %s", s.outputs[0].Name, s.outputs[0].DType)
	}
	return result, nil
}

// run lets onnxruntime allocate the outputs. They are returned even with an error and must be destroyed.
func (s *Session) run(ctx context.Context, in []runtime.Value) (out []runtime.Value, err error) {
	if s.inner == nil {
		return nil, errors.New("run session: it is closed")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out = make([]runtime.Value, len(s.outputs))
	var ro *runtime.RunOptions
	if ctx.Done() != nil {
		if ro, err = runtime.NewRunOptions(); err != nil {
			return nil, fmt.Errorf("run session: %w", err)
		}
		defer ro.Destroy() //nolint:errcheck // frees memory, cannot fail
		ended := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(ended)
			_ = ro.Terminate() // fails only if ro is nil
		})
		defer func() { // before Destroy
			if !stop() {
				<-ended
			}
		}()
	}
	if err := s.inner.RunWithOptions(in, out, ro); err != nil {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		return out, fmt.Errorf("run session: %w", err)
	}
	return out, nil
}

// sessionOptions converts Options.
func sessionOptions(o Options) (so *runtime.SessionOptions, err error) {
	if so, err = runtime.NewSessionOptions(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, so.Destroy())
		}
	}()
	level := runtime.GraphOptimizationLevel(runtime.GraphOptimizationLevelDisableAll)
	if o.Optimize {
		level = runtime.GraphOptimizationLevelEnableAll
	}
	err = errors.Join(so.SetGraphOptimizationLevel(level), so.SetIntraOpNumThreads(max(1, o.Threads)),
		so.SetInterOpNumThreads(1), so.SetLogSeverityLevel(runtime.LoggingLevelFatal))
	if o.Folder != "" {
		err = errors.Join(err, so.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", o.Folder))
	}
	for k, v := range o.Config {
		err = errors.Join(err, so.AddSessionConfigEntry(k, v))
	}
	if err != nil {
		return so, err
	}
	return so, useProvider(so, o.Provider)
}

// choose selects outputs by name, in the order of the names. An unknown name is an error.
func choose(outputs []Value, want []string) ([]Value, error) {
	if want == nil {
		return outputs, nil
	}
	chosen := make([]Value, 0, len(want))
	for _, name := range want {
		i := slices.IndexFunc(outputs, func(v Value) bool { return v.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("the model has no output %q", name)
		}
		chosen = append(chosen, outputs[i])
	}
	if len(chosen) == 0 {
		return nil, errors.New("no outputs chosen")
	}
	return chosen, nil
}

// names lists the names of values.
func names(values []Value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.Name
	}
	return out
}

// destroy frees values.
func destroy(values []runtime.Value) {
	for _, v := range values {
		if v != nil && !reflect.ValueOf(v).IsNil() { // the binding leaves nil pointers of what it cannot hold
			_ = v.Destroy() // frees memory, cannot fail
		}
	}
}
