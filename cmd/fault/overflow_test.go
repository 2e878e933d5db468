package fault

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
)

// TestOverflow: weights so large that numbers outgrow float32 end the run in calibration, with the node where that
// begins and what to look at.
func TestOverflow(t *testing.T) {
	t.Chdir(t.TempDir())
	data := sample.SmallData(t, t.TempDir(), 64, 32)
	for _, tc := range []struct {
		name  string
		last  bool
		scale float32
		want  string
	}{
		{"first", false, 1e30, "holds numbers up to "},
		{"first-infinite", false, 1e37, "holds NaN or infinite numbers"},
		{"last", true, 1e38, "holds NaN or infinite numbers"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var node, output string
			file := sample.ModelFile(t, tc.name+".onnx", func(m *onnx.Model) {
				for _, n := range m.Graph.Nodes() {
					if op := n.Op(); (op == "Conv" || op == "Gemm") && (node == "" || tc.last) {
						node, output = n.Name(), n.Output(0).Name()
					}
				}
				w := m.Graph.Node(node).Input(1)
				x, err := tensor.Floats(w.Const())
				if err != nil {
					t.Fatal(err)
				}
				scaled := make([]float32, len(x))
				for i, v := range x {
					// Weights themselves stay finite: those are another error.
					scaled[i] = min(max(v*tc.scale, -3e38), 3e38)
				}
				if err := w.SetConst(tensor.From(w.Const().Shape.Clone(), scaled)); err != nil {
					t.Fatal(err)
				}
			})
			code, stdout, stderr := program.Call(t, "compress", file, "--data", data, "--epochs", "0", "--calibrate-samples", "64", "--bits", "8", "--json")
			program.NeedRuntime(t, code, stderr)
			if code != exit.Failed || stdout != "" {
				t.Errorf("exit code %d: %s", code, stdout)
			}
			for _, want := range []string{"calibrate", `"` + node + `"`, `"` + output + `"`, tc.want, "weights", "--mean"} {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q is not in %s", want, stderr)
				}
			}
		})
	}
}
