package export_test

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/integer"
)

// inProfile exports a policy in a profile and computes its reference.
func (n network) inProfile(t *testing.T, profile string, q quantize.Policy, x []float32) (*onnx.Model, export.Outputs) {
	t.Helper()
	m, err := export.Export(n.model, n.plan, n.supernet, q, export.Options{Profile: profile})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := export.For(n.model, n.plan, profile)
	if err != nil {
		t.Fatal(err)
	}
	r, err := integer.Build(n.model, plan, n.supernet, q)
	if err != nil {
		t.Fatal(err)
	}
	pool := par.New(0)
	defer pool.Close()
	y, err := r.Run(t.Context(), pool, x, len(x)/n.shape.Numel(), true)
	if err != nil {
		t.Fatal(err)
	}
	return m, export.Outputs{Codes: y.Codes, Logits: y.Logits, Classes: y.Classes}
}

// given computes every tensor of a file from the codes of the reference, in standard operators.
func (n network) given(t *testing.T, m *onnx.Model, want export.Outputs, x []float32) export.Comparison {
	t.Helper()
	s, err := export.Standard(m)
	if err != nil {
		t.Fatal(err)
	}
	g, tensors, err := export.WithGivenCodes(s)
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.Open(marshal(t, g), ort.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	count := len(x) / n.shape.Numel()
	in := map[string]*tensor.Tensor{m.Graph.Inputs()[0].Name(): tensor.From(append(tensor.Shape{count}, n.shape...), x)}
	n.give(t, g, tensors, want, count, in)
	y, err := session.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got := export.Outputs{Codes: map[string][]uint8{}, Classes: want.Classes}
	for _, b := range tensors {
		if got.Codes[b.Tensor], err = export.Codes(y[b.Codes], b.Signed); err != nil {
			t.Fatal(err)
		}
	}
	if got.Logits, err = tensor.Floats(y[m.Graph.Outputs()[0].Name()]); err != nil {
		t.Fatal(err)
	}
	return export.Compare(tensors, want, got)
}

// give adds the codes of the reference to the inputs of a model with given codes.
func (n network) give(t *testing.T, g *onnx.Model, tensors []export.TensorBits, want export.Outputs, count int, in map[string]*tensor.Tensor) {
	t.Helper()
	for _, b := range tensors {
		shape, _ := n.model.Graph.Value(strings.Split(b.Tensor, "@")[0]).Shape()
		x, err := export.FromCodes(want.Codes[b.Tensor], g.Graph.Value(b.Codes).DType(), b.Signed, shape.WithBatch(count))
		if err != nil {
			t.Fatal(err)
		}
		in[export.GivenName(b.Codes)] = x
	}
}

// TestProfilesAgree: in every profile each tensor, computed from the codes of the reference, is within one code of the
// reference, in one element of a hundred at most, and the file keeps the conventions of its profile.
func TestProfilesAgree(t *testing.T) {
	requireRuntime(t)
	models := []struct {
		name  string
		make  func(t *testing.T) *onnx.Model
		bits  []int
		count int
	}{
		{"small", smallModel, nil, 12},
		{"resnet20", func(t *testing.T) *onnx.Model { return readModel(t, "models/resnet20-cifar10.onnx") }, nil, 6},
		{"mobilenetv2", func(t *testing.T) *onnx.Model { return readModel(t, "models/mobilenetv2-cifar10-64.onnx") }, []int{3, 4, 8}, 2},
	}
	for _, profile := range export.Profiles() {
		for _, tt := range models {
			t.Run(profile+" "+tt.name, func(t *testing.T) {
				if tt.bits != nil && testing.Short() {
					t.Skip("a large network")
				}
				n := prepareFor(t, tt.make(t), true, profile, tt.bits...)
				x := n.pictures(tt.count, 5)
				seeds := uint64(2)
				if tt.bits != nil {
					seeds = 1
				}
				for seed := range seeds {
					q := mixed(n.plan, seed)
					m, want := n.inProfile(t, profile, q, x)
					findings, err := export.Lint(m, profile)
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range findings {
						if !f.Warning {
							t.Error(f)
						}
					}
					c := n.given(t, m, want, x)
					if !c.Within(1) || c.Different*100 > c.Compared || c.Compared == 0 {
						t.Errorf("%d of %d codes differ, by up to %d; first %v; missing %v", c.Different, c.Compared, c.MaxCode, c.First, c.Missing)
					}
					if c.Flips > 0 || c.MaxAbsDiff > 1e-4 {
						t.Errorf("logits differ by %g, %d predictions", c.MaxAbsDiff, c.Flips)
					}
				}
			})
		}
	}
}

// TestTensorRTRefusesUnsigned: a supernet that was trained with unsigned 8-bit tensors has no TensorRT form.
func TestTensorRTRefusesUnsigned(t *testing.T) {
	n := small(t)
	_, err := export.Export(n.model, n.plan, n.supernet, n.plan.Uniform(4), export.Options{Profile: export.ProfileTRT})
	if err == nil || !strings.Contains(err.Error(), "TensorRT has no unsigned 8-bit type") || !strings.Contains(err.Error(), "--retrain") {
		t.Errorf("error %v", err)
	}
}
