package export_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// inProfile exports a policy in a profile and computes its reference.
func (n network) inProfile(t *testing.T, profile string, q quantize.Policy, x []float32) (*onnx.Model, comparison.Outputs) {
	t.Helper()
	want, _ := n.referenceAs(t, profile, q, x)
	return n.exportAs(t, profile, q), want
}

// given computes every tensor of a file from the codes of the reference, in standard operators.
func (n network) given(t *testing.T, m *onnx.Model, want comparison.Outputs, x []float32) comparison.Comparison {
	t.Helper()
	s, err := export.Standard(m)
	if err != nil {
		t.Fatal(err)
	}
	g, tensors, err := comparison.WithGivenCodes(s)
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
	got := comparison.Outputs{Codes: map[string][]uint8{}, Classes: want.Classes}
	for _, b := range tensors {
		if got.Codes[b.Tensor], err = comparison.Codes(y[b.Codes], b.Signed); err != nil {
			t.Fatal(err)
		}
	}
	if got.Logits, err = tensor.Floats(y[m.Graph.Outputs()[0].Name()]); err != nil {
		t.Fatal(err)
	}
	return comparison.Of(tensors, want, got)
}

// give adds the codes of the reference to the inputs of a model with given codes.
func (n network) give(t *testing.T, g *onnx.Model, tensors []metadata.TensorBits, want comparison.Outputs, count int, in map[string]*tensor.Tensor) {
	t.Helper()
	for _, b := range tensors {
		shape, _ := n.model.Graph.Value(strings.Split(b.Tensor, "@")[0]).Shape()
		x, err := comparison.FromCodes(want.Codes[b.Tensor], g.Graph.Value(b.Codes).DType(), b.Signed, shape.WithBatch(count))
		if err != nil {
			t.Fatal(err)
		}
		in[comparison.GivenName(b.Codes)] = x
	}
}

// logits runs a model as onnxruntime optimises it.
func (n network) logits(t *testing.T, m *onnx.Model, x []float32) []float32 {
	t.Helper()
	s, err := ort.Open(marshal(t, m), ort.Options{Threads: 2, Optimize: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	y, _, err := s.RunFloat(t.Context(), x, append(tensor.Shape{len(x) / n.shape.Numel()}, n.shape...))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(y)
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
		{"small for trt", smallModel, nil, 12},
		{"resnet20", func(t *testing.T) *onnx.Model { return readModel(t, "models/resnet20-cifar10.onnx") }, nil, 6},
		{"mobilenetv2", func(t *testing.T) *onnx.Model { return readModel(t, "models/mobilenetv2-cifar10-64.onnx") }, []int{3, 4, 8}, 2},
	}
	for _, profile := range export.Profiles() {
		for _, tt := range models {
			t.Run(profile+" "+tt.name, func(t *testing.T) {
				if tt.bits != nil && (testing.Short() || profile != export.ProfileTRT) {
					t.Skip("a large network")
				}
				trained := profile
				if strings.HasSuffix(tt.name, "trt") { // all profiles export a supernet that serves trt, too
					trained = export.ProfileTRT
				}
				n := prepareFor(t, tt.make(t), true, trained, tt.bits...)
				x := n.samples(tt.count, 5)
				seeds := uint64(2)
				if tt.count < 12 {
					seeds = 1
				}
				for seed := range seeds {
					q := mixed(n.plan, seed)
					m, want := n.inProfile(t, profile, q, x)
					noMistakes(t, m, profile)
					c := n.given(t, m, want, x)
					if !c.Within(1) || c.Different*100 > c.Compared || c.Compared == 0 {
						t.Errorf("%d of %d codes differ, by up to %d; first %v; missing %v", c.Different, c.Compared, c.MaxCode, c.First, c.Missing)
					}
					s, err := export.Standard(m)
					if err != nil {
						t.Fatal(err)
					}
					// The file as onnxruntime rewrites it: roundings spread, but predictions stay.
					whole := comparison.Of(nil, comparison.Outputs{Logits: want.Logits, Classes: want.Classes},
						comparison.Outputs{Logits: n.logits(t, s, x), Classes: want.Classes})
					if whole.Flips > 1 {
						t.Errorf("%d predictions of the whole file differ, logits by %g", whole.Flips, whole.MaxAbsDiff)
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

// TestProfileIsOneFile: what a profile is stands in its own file and its row alone, and in none of the rooms below.
func TestProfileIsOneFile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	below, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, below...)
	for _, name := range export.Profiles() {
		if export.Named(name).Arithmetic == "" || export.Named(name).StoredBits == 0 {
			t.Errorf("profile %s says not what it stores and computes", name)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			constant := regexp.MustCompile(`(?i)\bProfile` + name + `\b`)
			if own := file == name+".go"; !strings.HasSuffix(file, "_test.go") && constant.Match(text) != own {
				t.Errorf("%s: the name of profile %s", file, name)
			}
		}
	}
	if p := export.Named("none"); p.Runtime != "" || p.Arithmetic != "" || p.StoredBits != 0 || p.ZeroPoints || p.Pairs != quantize.Unpaired {
		t.Errorf("an unknown profile says something: %+v", p)
	}
}

// TestTopsOfClips: a Clip whose top is by a little above or below the value of the highest code is computed in every
// profile. onnxruntime 1.28 refused what its own optimizer made of some.
func TestTopsOfClips(t *testing.T) {
	requireRuntime(t)
	m := build(t, func(b *graphBuilder) {
		b.conv("c0", "x", 4, 8)
		b.op("Clip", "r", "c0 "+b.scalar("lo", 0)+" "+b.scalar("hi", 6))
		b.conv("c1", "r", 8, 8)
		b.head("c1", 8)
	})
	n := prepare(t, m, true)
	x := n.samples(6, 5)
	for _, profile := range export.Profiles() {
		if export.Named(profile).Int8 {
			continue // the supernet serves unsigned codes
		}
		for _, top := range []float32{5.98, 5.9999, 6, 6.00001, 6.0002, 6.0022, 6.02} {
			n.supernet.Arrays[quantize.StepName("r", 8)].Data[0] = top / 255
			m, want := n.inProfile(t, profile, n.plan.Max(), x)
			if c := n.given(t, m, want, x); !c.Within(1) || c.Compared == 0 {
				t.Errorf("%s, top %g: %+v", profile, top, c)
			}
			s, err := export.Standard(m)
			if err != nil {
				t.Fatal(err)
			}
			n.logits(t, s, x)
		}
	}
}
