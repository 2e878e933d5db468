package fault

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/options"
)

// damaged writes a copy of an exported file with something changed, and its sidecar, and verifies it in the place of
// the file: exit code 4, with a message that names what.
func damaged(t *testing.T, path string, edit func(m *onnx.Model) (names string)) {
	t.Helper()
	good := sample.Read(t, path)
	defer sample.Write(t, path, good)
	m := sample.LoadModel(t, path)
	names := edit(m)
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := program.Call(t, "verify", path, "--samples", "8")
	if code != exit.Mismatch || !strings.Contains(stderr, names) {
		t.Errorf("exit code %d, want 4 and %q: %s%s", code, names, stdout, stderr)
	}
}

// stored is the constant that holds the weights of a layer: codes, or floats.
func stored(n *onnx.Node) *onnx.Value {
	v := n.Input(1)
	for v.Const() == nil {
		v = v.Producer().Input(0)
	}
	return v
}

// TestDamagedLastLayer: no code comes after the last layer, so its weights show in the outputs alone.
func TestDamagedLastLayer(t *testing.T) {
	program.Example(t)
	// One supernet that serves all profiles.
	r, _ := program.Result(t, "compress", "--target", "4.0bit", "--profile", strings.Join(options.Profiles(), ","), "--retrain", "--epochs", "0")
	files := r.Results[0].Files
	if len(files) != len(options.Profiles()) {
		t.Fatalf("%d files", len(files))
	}
	for _, f := range files {
		t.Run(f.Profile, func(t *testing.T) {
			if f.Profile == "ort" && f.MaxAbsDiff != 0 {
				t.Errorf("outputs of the ort file differ by %g", f.MaxAbsDiff)
			}
			damaged(t, f.Path, func(m *onnx.Model) string {
				last := m.Graph.Outputs()[0].Producer()
				v := stored(last)
				row := v.Const().Shape[1]
				switch {
				case v.DType() == tensor.Float32:
					sample.Change(t, v, func(x []float32) {
						for i := range x[:row] {
							x[i] = -x[i]
						}
					})
				case f.Profile == "ort":
					sample.Change(t, v, func(x []int8) { x[0] ^= 1 })
				default:
					sample.Change(t, v, func(x []int8) {
						for i := range x[:row] {
							x[i] = -x[i]
						}
					})
				}
				return fmt.Sprintf("of output %q is ", m.Graph.Outputs()[0].Name())
			})
			if f.Profile == "qnn" {
				damaged(t, f.Path, func(m *onnx.Model) string { return withoutEncoded(t, m) })
			}
		})
	}
}

// withoutEncoded gives tensors that the encodings beside the file speak of other names.
func withoutEncoded(t *testing.T, m *onnx.Model) string {
	t.Helper()
	for _, n := range m.Graph.Nodes() {
		if v := n.Output(0); n.Op() == "Relu" || n.Op() == "Clip" {
			if err := m.Graph.RenameValue(v, v.Name()+"/elsewhere"); err != nil {
				t.Fatal(err)
			}
		}
	}
	return "or the model has no such tensor"
}

// TestDamagedFile changes one thing inside an exported file: the first code that goes wrong names the node.
func TestDamagedFile(t *testing.T) {
	program.Example(t)
	path := filepath.Join("example.mpqc", "out", "example-4.0bit.ort.onnx")
	named := func(node string) string { return fmt.Sprintf("; first node %q: element ", node) }
	t.Run("one weight", func(t *testing.T) {
		damaged(t, path, func(m *onnx.Model) string {
			n := middle(t, m)
			sample.Change(t, stored(n), func(x []int8) { x[len(x)/2] ^= 3 })
			return named(n.Name())
		})
	})
	t.Run("one scale", func(t *testing.T) {
		damaged(t, path, func(m *onnx.Model) string {
			n := middle(t, m)
			sample.Change(t, n.Input(1).Producer().Input(1), func(x []float32) { x[0] *= 1.05 })
			return named(n.Name())
		})
	})
	t.Run("a missing Clip", func(t *testing.T) {
		damaged(t, path, func(m *onnx.Model) string {
			for _, x := range description(t, m) {
				clip := m.Graph.Value(x.Codes).Producer()
				if clip.Op() != "Clip" {
					continue
				}
				in, name := clip.Input(0), clip.Output(0).Name()
				for _, err := range []error{m.Graph.ReplaceUses(clip.Output(0), in), m.Graph.Remove(clip), m.Graph.RenameValue(in, name)} {
					if err != nil {
						t.Fatal(err)
					}
				}
				return named(x.Node)
			}
			t.Fatal("the file has no Clip")
			return ""
		})
	})
}

// quantizer is a tensor in the description that a file carries.
type quantizer struct {
	Tensor, Node, Codes string
}

func description(t *testing.T, m *onnx.Model) []quantizer {
	t.Helper()
	var d struct{ Tensors []quantizer }
	text, _ := m.Metadata("org.mpqc.policy")
	if err := json.Unmarshal([]byte(text), &d); err != nil || len(d.Tensors) == 0 {
		t.Fatalf("%v: %s", err, text)
	}
	return d.Tensors
}

// middle is a Conv in the middle of the network whose output is quantized where it arises.
func middle(t *testing.T, m *onnx.Model) *onnx.Node {
	t.Helper()
	var convs []*onnx.Node
	for _, x := range description(t, m) {
		if n := m.Graph.Node(x.Node); n != nil && n.Op() == "Conv" {
			convs = append(convs, n)
		}
	}
	if len(convs) < 3 {
		t.Fatalf("%d convolutions", len(convs))
	}
	return convs[len(convs)/2]
}
