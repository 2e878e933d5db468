package verification

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/network/partition"
)

// Tail compares the part of an exported file behind its core with the tail of the float model.
//
// It compares node by node, then runs the tail on the values at the cut that the file itself computes. odd describes
// the first difference, "" means none. unrun says why onnxruntime cannot run the tail. Samples run one by one, because
// detectors gather results over a batch.
func (c Check) Tail(ctx context.Context, parts *partition.Partition, whole *onnx.Model) (odd string, unrun, err error) {
	if parts.Tail() == nil {
		return "", nil, nil
	}
	if odd := parts.Differs(whole); odd != "" {
		return odd, nil, nil
	}
	m, err := export.Standard(whole)
	if err != nil {
		return "", nil, err
	}
	m = m.Clone()
	for _, v := range parts.Core.Graph.Outputs() {
		if v := m.Graph.Value(v.Name()); v != nil && !v.IsOutput() {
			if err := m.Graph.AddOutput(v); err != nil {
				return "", nil, err
			}
		}
	}
	t := parts.Tail().Clone()
	o := ort.Options{Threads: c.Threads, Provider: c.Provider}
	if o.Outputs, err = readable(t); err != nil || len(o.Outputs) == 0 {
		return "", nil, err
	}
	tail, closed, unrun := c.open(t, o)
	if unrun != nil {
		return "", unrun, nil
	}
	defer closed()
	if o.Outputs, err = readable(m); err != nil {
		return "", nil, err
	}
	file, closed, unrun := c.open(m, o)
	if unrun != nil {
		return "", unrun, nil
	}
	defer closed()
	odd, err = c.runTail(ctx, file, tail)
	return odd, nil, err
}

// tailSamples is the number of samples that a tail is run on.
const tailSamples = 32

// runTail runs the file on held-out samples, and the tail alone on the file's values at the cut. It describes the first
// difference.
func (c Check) runTail(ctx context.Context, file, tail *ort.Session) (string, error) {
	var odd string
	err := c.Samples(ctx, tailSamples, 1, func(b Batch) error {
		in := map[string]*tensor.Tensor{file.Inputs()[0].Name: b.tensor()}
		got, err := file.Run(ctx, in)
		if err != nil {
			return err
		}
		for _, v := range tail.Inputs() {
			if got[v.Name] != nil {
				in[v.Name] = got[v.Name]
			}
		}
		want, err := tail.Run(ctx, in)
		if err != nil {
			return err
		}
		for _, v := range tail.Outputs() {
			if w, g := want[v.Name], got[v.Name]; odd == "" && !alike(w, g) {
				odd = fmt.Sprintf("output %q is not what the float model makes of the same values at the cut", v.Name)
			}
		}
		return nil
	})
	return odd, err
}

// alike compares two outputs. Floats may differ by rounding, because onnxruntime may merge operators in one of the two.
func alike(w, g *tensor.Tensor) bool {
	if g == nil || w.DType != g.DType || !w.Shape.Equal(g.Shape) {
		return false
	}
	if w.DType != tensor.Float32 {
		return bytes.Equal(w.Raw, g.Raw)
	}
	a, errA := tensor.Floats(w)
	b, errB := tensor.Floats(g)
	if errA != nil || errB != nil {
		return false
	}
	for i, v := range a {
		if !near(float64(v), float64(b[i])) {
			return false
		}
	}
	return true
}

// near compares two numbers. Equal infinities are near each other, and so are two NaN.
func near(v, w float64) bool {
	if v == w || math.IsNaN(v) && math.IsNaN(w) {
		return true
	}
	return math.Abs(v-w) <= 1e-5*math.Max(1, math.Abs(v)) && !math.IsInf(v, 0)
}
