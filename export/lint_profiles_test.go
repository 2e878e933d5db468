package export_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// lintRules are the names of the rules that a file breaks.
func lintRules(t *testing.T, m *onnx.Model, profile string) []string {
	t.Helper()
	findings, err := lint.Check(m, export.Named(profile).Conventions())
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, f := range findings {
		if !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

// first is the first node of an operator.
func first(t *testing.T, m *onnx.Model, op string) *onnx.Node {
	t.Helper()
	for _, n := range m.Graph.Nodes() {
		if n.Op() == op {
			return n
		}
	}
	t.Fatalf("no %s", op)
	return nil
}

// TestProfileRules damages files in ways that one rule each is for.
func TestProfileRules(t *testing.T) {
	n := prepareFor(t, smallModel(t), true, export.ProfileTRT, 2, 4, 8)
	q := n.plan.Uniform(4)
	for _, tt := range []struct {
		name     string
		from, to string // profile of the file, and the one it is held against
		damage   func(m *onnx.Model) error
		want     string
	}{
		{"opset", "openvino", "openvino", func(m *onnx.Model) error { m.SetOpset("", 12); return nil }, "opset"},
		{"negative scale", "openvino", "openvino", func(m *onnx.Model) error {
			return first(t, m, "QuantizeLinear").Input(1).SetConst(tensor.Scalar(float32(-1)))
		}, "scale"},
		{"uint8", "openvino", "trt", nil, "container"},
		{"zero point", "openvino", "trt", nil, "zero"},
		{"integer clip", "ort", "openvino", nil, "integer-clip"},
		{"integer bias", "ort", "trt", nil, "float-bias"},
		{"float operand", "trt", "trt", func(m *onnx.Model) error {
			first(t, m, "Conv").SetInput(0, m.Graph.Inputs()[0])
			return nil
		}, "layer"},
		{"wide clip", "trt", "trt", func(m *onnx.Model) error {
			return first(t, m, "Clip").Input(2).SetConst(tensor.Scalar(float32(1e6)))
		}, "levels"},
		{"no clip", "openvino", "openvino", func(m *onnx.Model) error {
			var c *onnx.Node // the first one bounds a tensor of 8 bits
			for _, n := range m.Graph.Nodes() {
				if n.Op() == "Clip" {
					c = n
				}
			}
			return m.Graph.ReplaceUses(c.Output(0), c.Input(0))
		}, "levels"},
		{"quantized branch", "openvino", "trt", nil, "residual"},
		{"attribute", "qonnx", "qonnx", func(m *onnx.Model) error { first(t, m, "Quant").RemoveAttr("narrow"); return nil }, "quant"},
		{"Quant's zero point", "qonnx", "qonnx", func(m *onnx.Model) error {
			return first(t, m, "Quant").Input(2).SetConst(tensor.Scalar(float32(1)))
		}, "quant"},
		{"other width", "qonnx", "qonnx", func(m *onnx.Model) error {
			return first(t, m, "Quant").Input(3).SetConst(tensor.Scalar(float32(7)))
		}, "width"},
		{"free batch", "qonnx", "qonnx", func(m *onnx.Model) error {
			m.Graph.Inputs()[0].SetType(tensor.Float32, tensor.Shape{-1, 4, 8, 8})
			return nil
		}, "static"},
		{"shared weights", "qonnx", "qonnx", func(m *onnx.Model) error {
			a, b := m.Graph.Node("/c1"), m.Graph.Node("/c2")
			b.SetInput(1, a.Input(1))
			return nil
		}, "weight"},
		{"pooling before Quant", "qonnx", "qonnx", nil, "predecessor"},
		{"quantizers", "ort", "qnn", nil, "float"},
		{"no encodings", "ort", "qnn", nil, "encodings"},
		{"encoding of nothing", "qnn", "qnn", func(m *onnx.Model) error {
			m.SetMetadata(metadata.EncodingsKey, `{"version":"1.0.0","activation_encodings":[{"name":"none","bw":8,"scale":[1],"offset":[0]}],"param_encodings":[]}`)
			return nil
		}, "encodings"},
		{"unreadable encodings", "qnn", "qnn", func(m *onnx.Model) error { m.SetMetadata(metadata.EncodingsKey, `{"version":"0.6.1"}`); return nil }, "encodings"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := n.exportAs(t, tt.from, q)
			if tt.damage != nil {
				if slices.Contains(lintRules(t, m, tt.to), tt.want) {
					t.Fatalf("the file breaks rule %s before it is damaged", tt.want)
				}
				if err := tt.damage(m); err != nil {
					t.Fatal(err)
				}
			}
			if got := lintRules(t, m, tt.to); !slices.Contains(got, tt.want) {
				t.Errorf("rules %v, want %s among them", got, tt.want)
			}
		})
	}
}

// TestForeignFiles: a file of another program is linted by what is in it; widths of 2 and 3 bits are pointed out.
func TestForeignFiles(t *testing.T) {
	requireRuntime(t)
	n := prepare(t, smallModel(t), true, 2, 4, 8)
	path := filepath.Join(t.TempDir(), "fused.onnx")
	if err := ort.SaveOptimized(marshal(t, n.export(t, n.plan.Uniform(4))), path, ""); err != nil {
		t.Fatal(err)
	}
	fused, err := onnx.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := lintRules(t, fused, export.ProfileTRT); !slices.Contains(got, "operator") {
		t.Errorf("integer operators: rules %v", got)
	}
	m := n.exportAs(t, export.ProfileQNN, n.plan.Min())
	if got := lintRules(t, m, export.ProfileQNN); !slices.Equal(got, []string{"width"}) {
		t.Errorf("2 bits: rules %v", got)
	}
	if _, data := metadata.Sidecar(m); data == nil {
		t.Error("no encodings beside the file")
	} else if _, err := metadata.ReadEncodings(data); err != nil {
		t.Error(err)
	}
}

// TestQuantOfInt8Supernet: unsigned 8-bit codes that end at 127 are Relu and a Quant of 7 bits, which FINN reads, not a
// Clip that it has no handler for.
func TestQuantOfInt8Supernet(t *testing.T) {
	n := prepareFor(t, smallModel(t), true, export.ProfileTRT)
	m := n.exportAs(t, export.ProfileQONNX, n.plan.Max())
	narrow := 0
	for _, x := range m.Graph.Nodes() {
		switch x.Op() {
		case "Clip":
			if lo := x.Input(1); lo != nil && strings.HasSuffix(lo.Name(), "/lo") {
				t.Errorf("node %s bounds codes", x.Name())
			}
		case "Quant":
			if bits, err := tensor.Floats(x.Input(3).Const()); err == nil && bits[0] == 7 && x.Int("signed", 1) == 0 {
				narrow++
			}
		}
	}
	if narrow == 0 {
		t.Error("no Quant has 7 bits")
	}
	findings, err := lint.Check(m, export.Named(export.ProfileQONNX).Conventions())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if !f.Warning || strings.Contains(f.Message, "follows Clip") {
			t.Error(f)
		}
	}
}

// TestBiasBeforeQuant: a Quant may follow a Conv with a bias, which readers make an Add of, and none without.
func TestBiasBeforeQuant(t *testing.T) {
	n := small(t)
	m := n.exportAs(t, export.ProfileQONNX, n.plan.Max())
	follows := func() (count int) {
		findings, err := lint.Check(m, export.Named(export.ProfileQONNX).Conventions())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if strings.HasSuffix(f.Message, "follows Conv") {
				count++
			}
		}
		return count
	}
	if k := follows(); k > 0 {
		t.Errorf("%d warnings about convolutions with a bias", k)
	}
	for _, x := range m.Graph.Nodes() {
		if x.Op() == "Conv" {
			x.SetInput(2, nil)
		}
	}
	if follows() == 0 {
		t.Error("no warning about convolutions without a bias")
	}
}
