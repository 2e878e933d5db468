package job

import (
	"math"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
)

// inHalf makes everything in a model that is float32 float16, as converters do.
func inHalf(t *testing.T, m *onnx.Model) {
	t.Helper()
	for _, v := range m.Graph.Initializers() {
		if v.DType() != tensor.Float32 {
			continue
		}
		f, err := tensor.Floats(v.Const())
		if err != nil {
			t.Fatal(err)
		}
		h := &tensor.Tensor{DType: tensor.Float16, Shape: v.Const().Shape}
		for _, x := range f {
			b := math.Float32bits(x)
			var bits uint32
			if e := b >> 23 & 255; e > 112 { // smaller ones are zero
				bits = (e-112)<<10 | b>>13&1023
			}
			h.Raw = append(h.Raw, byte(bits), byte(bits>>8|b>>24&128))
		}
		if err := v.SetConst(h); err != nil {
			t.Fatal(err)
		}
	}
	values := append(m.Graph.Inputs(), m.Graph.Outputs()...)
	for _, n := range m.Graph.Nodes() {
		values = append(values, n.Outputs()...)
	}
	for _, v := range values {
		if s, _ := v.Shape(); v.DType() == tensor.Float32 {
			v.SetType(tensor.Float16, s)
		}
	}
}

// TestHalf: a model in half precision is compressed as one in float32, and files take and give what it did.
func TestHalf(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole run")
	}
	t.Chdir(t.TempDir())
	data := sample.SmallData(t, t.TempDir(), 64, 32)
	sample.ModelFile(t, "model.onnx", func(m *onnx.Model) { inHalf(t, m) })
	code, stdout, stderr := program.Call(t, "doctor", "model.onnx")
	program.NeedRuntime(t, code, stderr)
	if code != exit.Done {
		t.Errorf("doctor: exit code %d: %s%s", code, stdout, stderr)
	}
	r := compared(t, brief("model.onnx", data, "--profile", "ort,qonnx"))
	if r.Float.Top1 == nil || *r.Float.Top1 < 0.5 {
		t.Errorf("accuracy %v", r.Float.Top1)
	}
	for _, f := range r.Results[0].Files {
		m := sample.LoadModel(t, f.Path)
		for _, v := range append(m.Graph.Inputs(), m.Graph.Outputs()...) {
			if v.DType() != tensor.Float16 {
				t.Errorf("%s: %s is %s", f.Path, v.Name(), v.DType())
			}
		}
	}
	file := r.Results[0].Files[0].Path
	if code, stdout, stderr = program.Call(t, "eval", file, "--json"); code != exit.Done || !strings.Contains(stdout, `"top1": 0.`) {
		t.Errorf("eval: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr = program.Call(t, "eval", file, "--against", "model.onnx", "--json"); code != exit.Done || !strings.Contains(stdout, `"agreement"`) {
		t.Errorf("eval against the model: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr = program.Call(t, "verify", file); code != exit.Done {
		t.Errorf("verify: exit code %d: %s", code, stderr)
	}
}
