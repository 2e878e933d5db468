package quantize_test

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
)

var update = flag.Bool("update", false, "rewrite golden files")

func normalised(t *testing.T, file string) *onnx.Model {
	t.Helper()
	m, err := onnx.Load(testkit.Shared(t, file))
	if err != nil {
		t.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPlanOfModels compares plans with golden text and MACs with those that the models were published with.
func TestPlanOfModels(t *testing.T) {
	tests := []struct {
		name   string
		macs   float64 // millions
		within float64
	}{
		{"resnet20-cifar10", 40.6, 0.05},
		{"resnet20-cifar10-bn", 40.6, 0.05},
		{"resnet18-cifar10-64", 148, 0.5},
		{"mobilenetv2-cifar10-64", 24.5, 0.05},
		{"efficientnet-lite0-imagenet", 385, 0.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plan(t, normalised(t, "models/"+tt.name+".onnx"), quantize.PlanOptions{Streams: true})
			if got := float64(p.MACs()) / 1e6; math.Abs(got-tt.macs) > tt.within {
				t.Errorf("%g M MACs, want %g", got, tt.macs)
			}
			golden(t, filepath.Join("testdata", tt.name+".plan.txt"), text(p))
			if len(p.Float) != 0 {
				t.Errorf("nodes stay in float: %v", p.Float)
			}
			for _, q := range []quantize.Policy{p.Min(), p.Max(), p.Uniform(4)} {
				if err := p.Validate(q); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got), -update renews it:\n%s", file, d)
	}
}

// TestPlanOfTrace compares groups and candidates with those of the reference trace.
func TestPlanOfTrace(t *testing.T) {
	raw, err := os.ReadFile(testkit.Shared(t, "reference/oneshot/trace.json"))
	if err != nil {
		t.Fatal(err)
	}
	var trace struct {
		Candidates struct{ Weights, Activations map[string][]int }
		Reads      map[string]string
	}
	if err := json.Unmarshal(raw, &trace); err != nil {
		t.Fatal(err)
	}
	bits := []int{2, 3, 4, 5, 6}
	p := plan(t, normalised(t, "reference/oneshot/model.onnx"), quantize.PlanOptions{WeightBits: bits, ActivationBits: bits})
	if len(p.Layers) != len(trace.Reads) {
		t.Fatalf("%d layers, want %d", len(p.Layers), len(trace.Reads))
	}
	names := map[int]string{} // of points, in the trace
	for _, l := range p.Layers {
		layer := strings.Split(l.Node, "/")[1]
		reads, ok := trace.Reads[layer]
		if !ok {
			t.Fatalf("layer %q is not in the trace", layer)
		}
		if was, ok := names[l.Point]; ok && was != reads {
			t.Errorf("%s reads the point of %s, want %s", layer, was, reads)
		}
		names[l.Point] = reads
		want, searched := trace.Candidates.Weights[layer]
		if l.Fixed == searched || (searched && !slices.Equal(l.Candidates, want)) {
			t.Errorf("%s: fixed %v, candidates %v, want %v", layer, l.Fixed, l.Candidates, want)
		}
		if (l.Norm == "") != (layer == "fc") {
			t.Errorf("%s: norm %q", layer, l.Norm)
		}
	}
	distinct := map[string]bool{}
	for i, x := range p.Points {
		distinct[names[i]] = true
		want, searched := trace.Candidates.Activations[names[i]]
		if x.Fixed == searched || (searched && !slices.Equal(x.Candidates, want)) {
			t.Errorf("%s: fixed %v, candidates %v, want %v", names[i], x.Fixed, x.Candidates, want)
		}
	}
	if len(distinct) != len(p.Points) || len(distinct) != 6 {
		t.Errorf("%d points for %d tensors of the trace", len(p.Points), len(distinct))
	}
}
