package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/session"
)

// exportedCore is the core of an exported file.
func (j *job) exportedCore(path string) (*onnx.Model, error) {
	m, err := onnx.Load(path)
	if err != nil {
		return nil, err
	}
	return j.parts.CoreOf(m)
}

// exportedDocument is the core of an exported file as the runtime takes it, until it is removed.
func (j *job) exportedDocument(path string) (d session.Document, remove func(), err error) {
	if j.parts.Tail() == nil {
		d, err = session.Read(path)
		return d, func() {}, err
	}
	m, err := j.exportedCore(path)
	if err != nil {
		return session.Document{}, func() {}, err
	}
	return j.document(m)
}

// checkTail compares what stands behind the core of an exported file with the tail of the float model: node by node, and
// by its outputs for the values at the cut that the file itself computes, where onnxruntime can run it. It returns what
// differs, "" if nothing does. Pictures go through one by one: detectors gather what all pictures of a batch give.
func (j *job) checkTail(ctx context.Context, f *File, whole *onnx.Model) (string, error) {
	if j.parts.Tail() == nil {
		return "", nil
	}
	for _, n := range j.parts.TailNodes() {
		f.Tail = append(f.Tail, n.Name())
	}
	cut := onnx.Names(j.parts.Core.Graph.Outputs())
	if odd := j.parts.Differs(whole); odd != "" {
		return odd, nil
	}
	c, err := export.Standard(whole)
	if err != nil {
		return "", err
	}
	c = c.Clone()
	for _, name := range cut {
		if v := c.Graph.Value(name); v != nil && !v.IsOutput() {
			if err := c.Graph.AddOutput(v); err != nil {
				return "", err
			}
		}
	}
	file, err := j.openModel(c)
	if err == nil {
		defer func() { _ = file.Close() }()
		var tail *ort.Session
		if tail, err = j.openModel(j.parts.Tail()); err == nil {
			defer func() { _ = tail.Close() }()
			return j.runTail(ctx, file, tail)
		}
	}
	f.TailUnrun = err.Error()
	j.o.Events.start(StageVerify, "tail", "").warning("onnxruntime cannot run what stands behind " + strings.Join(cut, ", ") +
		", which was compared node by node with the float model: " + f.TailUnrun)
	return "", nil
}

func (j *job) openModel(m *onnx.Model) (*ort.Session, error) {
	d, remove, err := j.document(m)
	if err != nil {
		return nil, err
	}
	defer remove() // the session has read or mapped what lies there
	return d.Open(ort.Options{Threads: lanes(j.o.Threads), Provider: j.o.Provider})
}

// tailPictures are enough to run every operator of a tail.
const tailPictures = 32

// runTail runs the file on held-out pictures and the tail alone on what the file has at the cut.
func (j *job) runTail(ctx context.Context, file, tail *ort.Session) (string, error) {
	if err := j.checkTest(ctx); err != nil {
		return "", err
	}
	var odd string
	indices := draw(j.data.test.Len(), min(tailPictures, j.o.VerifySamples), "verify", *j.o.Seed)
	err := j.data.each(ctx, j.data.test, indices, 1, func(b batchOf) error {
		in := map[string]*tensor.Tensor{file.Inputs()[0].Name: tensor.From(j.data.batchShape(1), b.x)}
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

// alike compares two outputs: floats may round differently where the runtime merged operators.
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

// near compares two numbers. Infinities are near themselves, and NaN is near NaN.
func near(v, w float64) bool {
	if v == w || math.IsNaN(v) && math.IsNaN(w) {
		return true
	}
	return math.Abs(v-w) <= 1e-5*math.Max(1, math.Abs(v)) && !math.IsInf(v, 0)
}
