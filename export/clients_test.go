package export_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// entry is one tensor in the folder that a client works in.
type entry struct {
	Name  string       `json:"name"`
	DType string       `json:"dtype"`
	Shape tensor.Shape `json:"shape"`
}

// client runs testdata/client.py on a model. Outputs are those of the runtime, by name.
func client(t *testing.T, action string, m *onnx.Model, in map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(m.Save(filepath.Join(dir, "model.onnx")))
	entries := []entry{}
	for name, x := range in {
		must(os.WriteFile(filepath.Join(dir, fmt.Sprintf("in.%d", len(entries))), x.Raw, 0o600))
		entries = append(entries, entry{name, x.DType.String(), x.Shape})
	}
	text, err := json.Marshal(entries)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "in.json"), text, 0o600))
	c := exec.CommandContext(t.Context(), testkit.Python(t), "testdata/client.py", action, dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("client %s: %v\n%s", action, err, out)
	}
	text, err = os.ReadFile(filepath.Join(dir, "out.json"))
	must(err)
	var results []entry
	must(json.Unmarshal(text, &results))
	types := map[string]tensor.DType{"float32": tensor.Float32, "uint8": tensor.Uint8, "int8": tensor.Int8}
	out := map[string]*tensor.Tensor{}
	for i, e := range results {
		raw, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out.%d", i)))
		must(err)
		out[e.Name], err = tensor.New(types[e.DType], e.Shape, raw)
		must(err)
	}
	return out
}

// clientModels are what the clients read: residual additions, ReLU6, pooling, views.
func clientModels(t *testing.T, profile string) map[string]network {
	t.Helper()
	return map[string]network{
		"small":    prepareFor(t, smallModel(t), true, profile),
		"resnet20": prepareFor(t, readModel(t, "models/resnet20-cifar10.onnx"), true, profile),
	}
}

// TestChecker: onnx's own checker, shape inference included, accepts every file.
func TestChecker(t *testing.T) {
	testkit.Python(t)
	for _, profile := range export.Profiles() {
		for name, n := range clientModels(t, profile) {
			m := n.exportAs(t, profile, mixed(n.plan, 1))
			t.Run(profile+" "+name, func(t *testing.T) { client(t, "check", m, nil) })
		}
	}
}

// signalToNoise is the ratio of the variance of values to the mean square of what others are off by, in decibels.
func signalToNoise(want, got []float32) float64 {
	var sum, squares, noise float64
	for i, w := range want {
		d := float64(w) - float64(got[i])
		sum, squares, noise = sum+float64(w), squares+float64(w)*float64(w), noise+d*d
	}
	n := float64(len(want))
	return 10 * math.Log10((squares/n-sum/n*sum/n)/(noise/n+1e-30))
}

// TestOpenVINO: OpenVINO computes every tensor within one code from the codes of the reference, and runs all
// convolutions on integers.
func TestOpenVINO(t *testing.T) {
	testkit.Python(t)
	const samples = 8
	models := clientModels(t, export.ProfileOpenVINO)
	models["zero points"] = asymmetricNetwork(t, true)
	for name, n := range models {
		t.Run(name, func(t *testing.T) {
			q := mixed(n.plan, 1)
			x := n.samples(samples, 5)
			m, want := n.inProfile(t, export.ProfileOpenVINO, q, x)
			input := m.Graph.Inputs()[0].Name()
			in := map[string]*tensor.Tensor{input: tensor.From(append(tensor.Shape{samples}, n.shape...), x)}
			out := client(t, "openvino", m, in)
			if k, err := tensor.Floats(out["#convolutions"]); err != nil || k[0] == 0 || k[0] != k[1] {
				t.Errorf("%v: of %g convolutions %g run on integers", err, k[0], k[1])
			}
			g, tensors, err := comparison.WithGivenCodes(m)
			if err != nil {
				t.Fatal(err)
			}
			got := comparison.Outputs{Codes: map[string][]uint8{}, Classes: want.Classes}
			n.give(t, g, tensors, want, samples, in)
			out = client(t, "openvino", g, in)
			for _, b := range tensors {
				if got.Codes[b.Tensor], err = comparison.Codes(out[b.Codes], b.Signed); err != nil {
					t.Fatal(err)
				}
			}
			got.Logits, _ = tensor.Floats(out[m.Graph.Outputs()[0].Name()])
			if c := comparison.Of(tensors, want, got); !c.Within(1) || c.Different*100 > c.Compared {
				t.Errorf("%d of %d codes differ, by up to %d; first %v; missing %v", c.Different, c.Compared, c.MaxCode, c.First, c.Missing)
			}
		})
	}
}

// TestOpenVINOWhole: at 8 bits the whole file stays near the simulation in OpenVINO, with all kernels of this CPU and
// with those of one without AVX-512, which saturate where pairs of weights are not bounded. At low widths ties that
// round the other way add up.
func TestOpenVINOWhole(t *testing.T) {
	testkit.Python(t)
	const samples = 64
	models := clientModels(t, export.ProfileOpenVINO)
	models["zero points"] = asymmetricNetwork(t, true)
	for name, n := range models {
		x := n.samples(samples, 5)
		m, want := n.inProfile(t, export.ProfileOpenVINO, n.plan.Max(), x)
		in := map[string]*tensor.Tensor{m.Graph.Inputs()[0].Name(): tensor.From(append(tensor.Shape{samples}, n.shape...), x)}
		for _, isa := range []string{"ALL", "AVX2"} {
			t.Run(name+" "+isa, func(t *testing.T) {
				t.Setenv("ONEDNN_MAX_CPU_ISA", isa)
				logits, err := tensor.Floats(client(t, "openvino", m, in)[m.Graph.Outputs()[0].Name()])
				if err != nil {
					t.Fatal(err)
				}
				snr := signalToNoise(want.Logits, logits)
				t.Logf("outputs are %.1f dB from the simulation's", snr)
				if snr < 25 {
					t.Errorf("outputs are %.1f dB from the simulation's", snr)
				}
			})
		}
	}
}

// TestQONNX: the executor of QONNX computes what the reference does, but for roundings that spread.
func TestQONNX(t *testing.T) {
	testkit.Python(t)
	const samples = 2
	models := clientModels(t, export.ProfileQONNX)
	models["resnet20 for int8"] = prepareFor(t, readModel(t, "models/resnet20-cifar10.onnx"), true, export.ProfileTRT)
	for name, n := range models {
		t.Run(name, func(t *testing.T) {
			q := mixed(n.plan, 1)
			x := n.samples(samples, 5)
			m, want := n.inProfile(t, export.ProfileQONNX, q, x)
			in := map[string]*tensor.Tensor{m.Graph.Inputs()[0].Name(): tensor.From(append(tensor.Shape{samples}, n.shape...), x)}
			out := client(t, "qonnx", m, in)
			got := comparison.Outputs{Codes: map[string][]uint8{}, Classes: want.Classes}
			tensors := description(t, m).Tensors
			for _, b := range tensors {
				got.Codes[b.Tensor] = quantCodes(t, m, b, out[b.Codes])
			}
			var err error
			if got.Logits, err = tensor.Floats(out[m.Graph.Outputs()[0].Name()]); err != nil {
				t.Fatal(err)
			}
			c := comparison.Of(tensors, want, got)
			t.Logf("%d of %d codes differ, by up to %d; logits by %g of %g", c.Different, c.Compared, c.MaxCode, c.MaxAbsDiff, spread(want.Logits))
			if len(c.Missing) > 0 || c.Different*50 > c.Compared || c.Flips > 0 || c.MaxAbsDiff > 0.05*spread(want.Logits) {
				t.Errorf("first %v; missing %v; %d predictions differ", c.First, c.Missing, c.Flips)
			}
		})
	}
}

// quantCodes are the codes of values that a Quant node computed.
func quantCodes(t *testing.T, m *onnx.Model, b metadata.TensorBits, y *tensor.Tensor) []uint8 {
	t.Helper()
	values, err := tensor.Floats(y)
	if err != nil {
		t.Fatalf("tensor %q: %v", b.Tensor, err)
	}
	scale, err := tensor.Floats(m.Graph.Value(b.Codes).Producer().Input(1).Const())
	if err != nil {
		t.Fatal(err)
	}
	lo, _ := quantize.Levels(8, b.Signed)
	codes := make([]uint8, len(values))
	for i, v := range values {
		codes[i] = uint8(int(math.Round(float64(v/scale[0]))) - lo)
	}
	return codes
}

// spread is the range of logits, which differences are held against.
func spread(v []float32) float64 {
	lo, hi := v[0], v[0]
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	return float64(hi - lo)
}

// TestTensorRT builds a file with TensorRT and compares predictions, on machines that have it; without it the script
// says what is missing.
func TestTensorRT(t *testing.T) {
	n := prepareFor(t, smallModel(t), true, export.ProfileTRT)
	m := n.exportAs(t, export.ProfileTRT, mixed(n.plan, 1))
	file := filepath.Join(t.TempDir(), "model.onnx")
	if err := m.Save(file); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), testkit.Python(t), "testdata/compare_trt.py", file)
	out, err := c.CombinedOutput()
	switch {
	case c.ProcessState.ExitCode() == 2 && strings.HasPrefix(string(out), "cannot compare: "):
		t.Skipf("%s", out)
	case err != nil:
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}
