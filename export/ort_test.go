package export_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/integer"
)

// reference computes the samples on integer codes, from everything but the exported file.
func (n network) reference(t *testing.T, q quantize.Policy, x []float32) (want comparison.Outputs, inexact []string) {
	t.Helper()
	return n.referenceAs(t, export.ProfileORT, q, x)
}

// referenceAs is the reference of a file of a profile.
func (n network) referenceAs(t *testing.T, profile string, q quantize.Policy, x []float32) (want comparison.Outputs, inexact []string) {
	t.Helper()
	r, err := integer.Build(n.model, export.Named(profile).Plan(n.model, n.plan), n.held(t, profile, q), q)
	if err != nil {
		t.Fatal(err)
	}
	pool := par.New(0)
	defer pool.Close()
	y, err := r.Run(t.Context(), pool, x, len(x)/n.shape.Numel(), true)
	if err != nil {
		t.Fatal(err)
	}
	out := comparison.Outputs{Codes: y.Codes, Name: r.Outputs()[0], Logits: y.Logits, Classes: y.Classes}
	for i, v := range y.More {
		out.More = append(out.More, comparison.Output{Name: r.Outputs()[1+i], Values: v, Per: r.Sizes()[1+i]})
	}
	return out, r.Inexact()
}

// ops counts the operators of a model after onnxruntime's optimisation.
func ops(t *testing.T, m *onnx.Model) map[string]int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "optimized.onnx")
	if err := ort.SaveOptimized(marshal(t, m), path, ""); err != nil {
		t.Fatal(err)
	}
	o, err := onnx.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, n := range o.Graph.Nodes() {
		count[n.Op()]++
	}
	return count
}

// checkOps holds the operators of a model after onnxruntime's optimisation against how many there must be of some.
func checkOps(t *testing.T, m *onnx.Model, want map[string]int) (count map[string]int) {
	t.Helper()
	count = ops(t, m)
	for op, n := range want {
		if count[op] != n {
			t.Errorf("%d x %s after fusion, want %d: %v", count[op], op, n, count)
		}
	}
	return count
}

// TestCodesEqualReference is the promise of the profile: every code and every logit that onnxruntime computes is that
// of the integer reference, whatever the bits.
func TestCodesEqualReference(t *testing.T) {
	if testing.Short() {
		t.Skip("runs many files in onnxruntime")
	}
	requireRuntime(t)
	tests := []struct {
		model   string
		norms   bool
		bits    []int
		samples int
		fused   map[string]int
	}{
		{"resnet20-cifar10", false, nil, 64, map[string]int{"QLinearConv": 19, "QLinearAdd": 9, "QGemm": 1, "Conv": 0, "Add": 0}},
		{"resnet20-cifar10", true, nil, 64, map[string]int{"QLinearConv": 19, "QLinearAdd": 9, "QGemm": 1}},
		{"resnet20-cifar10-bn", false, nil, 64, map[string]int{"QLinearConv": 19, "QLinearAdd": 9, "QGemm": 1}},
		{"resnet18-cifar10-64", true, []int{3, 4, 8}, 16, map[string]int{"QLinearConv": 20, "QLinearAdd": 8, "QLinearGlobalAveragePool": 1, "QGemm": 1}},
		{"mobilenetv2-cifar10-64", true, nil, 16, map[string]int{"QLinearConv": 52, "QLinearAdd": 10, "QLinearGlobalAveragePool": 1, "QGemm": 1}},
		{"efficientnet-lite0-imagenet", true, []int{3, 4, 8}, 2, map[string]int{"QLinearConv": 49, "QLinearAdd": 9, "QLinearGlobalAveragePool": 1, "QGemm": 1}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s norms %v", tt.model, tt.norms), func(t *testing.T) {
			big := tt.samples < 64 && tt.bits != nil
			if big && testing.Short() {
				t.Skip("a large network")
			}
			n := load(t, "models/"+tt.model+".onnx", tt.norms, tt.bits...)
			x := n.samples(tt.samples, 5)
			policies := []quantize.Policy{mixed(n.plan, 1), n.plan.Max(), n.plan.Min(), n.plan.Uniform(4)}
			if big {
				policies = policies[:2]
			}
			for i, q := range policies {
				m := n.export(t, q)
				noMistakes(t, m, export.ProfileORT)
				want, inexact := n.reference(t, q, x)
				if len(inexact) != 0 {
					t.Errorf("the reference computes in float: %v", inexact)
				}
				got := n.compute(t, m, x, true)
				tensors := description(t, m).Tensors
				if c := comparison.Of(tensors, want, got); !c.Equal() {
					t.Errorf("policy %d: %+v, first %v", i, c, c.First)
				}
				if i > 0 {
					continue
				}
				checkOps(t, m, tt.fused)
				if len(tensors) < len(n.plan.Points) || !varies(got) {
					t.Errorf("%d tensors compared, %d points; logits %v", len(tensors), len(n.plan.Points), got.Logits[:got.Classes])
				}
			}
		})
	}
}

// varies reports whether samples differ in their outputs, without which a comparison proves nothing.
func varies(o comparison.Outputs) bool {
	first := o.Logits[:o.Classes]
	for i := o.Classes; i < len(o.Logits); i += o.Classes {
		if !slices.Equal(first, o.Logits[i:i+o.Classes]) {
			return true
		}
	}
	return false
}

// mistakes are what a file does wrong on every machine.
func mistakes(t *testing.T, m *onnx.Model, profile string) []lint.Finding {
	t.Helper()
	findings, err := lint.Check(m, export.Named(profile).Conventions())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(findings, func(f lint.Finding) bool { return f.Warning })
}

func noMistakes(t *testing.T, m *onnx.Model, profile string) {
	t.Helper()
	for _, f := range mistakes(t, m, profile) {
		t.Errorf("%s: %v", profile, f)
	}
}

func description(t *testing.T, m *onnx.Model) metadata.Description {
	t.Helper()
	d, err := metadata.Describe(m)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestProfiles(t *testing.T) {
	_, err := export.Export(nil, nil, nil, quantize.Policy{}, export.Options{Profile: "tflite"})
	if err == nil || !strings.Contains(err.Error(), `"tflite" is unknown`) || !strings.Contains(err.Error(), "ort") {
		t.Errorf("error %v does not list the profiles", err)
	}
}
