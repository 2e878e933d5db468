package export_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// small has a stream, Relu, Clip, views and a Gemm.
func small(t *testing.T) network {
	t.Helper()
	return prepare(t, smallModel(t), true)
}

func smallModel(t *testing.T) *onnx.Model {
	t.Helper()
	return build(t, func(b *graphBuilder) {
		b.conv("c0", "x", 4, 8)
		b.op("Clip", "k0", "c0 "+b.scalar("zero", 0)+" "+b.scalar("top", 1))
		b.conv("c1", "k0", 8, 8)
		b.op("Add", "a", "c1 k0")
		b.op("Relu", "r", "a")
		b.op("MaxPool", "p", "r", onnx.IntsAttr("kernel_shape", []int64{2, 2}), onnx.IntsAttr("strides", []int64{2, 2}))
		b.conv("c2", "p", 8, 8)
		b.head("c2", 8)
	})
}

func TestExportIsDeterministic(t *testing.T) {
	n := small(t)
	n.model.SetMetadata("org.mpqc.preprocessing", `{"layout":"NCHW"}`)
	q := n.plan.Uniform(4)
	before := marshal(t, n.model)
	a, b := n.export(t, q), n.export(t, q)
	if !bytes.Equal(marshal(t, a), marshal(t, b)) {
		t.Error("two exports differ")
	}
	if !bytes.Equal(before, marshal(t, n.model)) {
		t.Error("export changed its model")
	}
	if p, _ := a.Metadata("org.mpqc.preprocessing"); p != `{"layout":"NCHW"}` {
		t.Errorf("preprocessing is %q", p)
	}
	if p, _ := a.Metadata(metadata.ProfileKey); p != export.ProfileORT {
		t.Errorf("profile is %q", p)
	}
}

// TestExportGraph shows the dialect as text: one line per node, with the operators it reads from.
func TestExportGraph(t *testing.T) {
	n := small(t)
	m := n.export(t, n.plan.Uniform(4))
	var lines []string
	for _, x := range m.Graph.Nodes() {
		var in []string
		for _, v := range x.Inputs() {
			if v.Producer() != nil || v.IsInput() {
				in = append(in, v.Name())
			}
		}
		lines = append(lines, x.Op()+" "+x.Name()+" ("+strings.Join(in, ", ")+") "+x.Output(0).Name())
	}
	got := strings.Join(lines, "\n")
	for _, want := range []string{
		"QuantizeLinear x/quantize (x) x/quantized",
		"Conv /c0 (/c0/input.0, c0.w/dequantized, /c0/bias/dequantized) c0",
		"QuantizeLinear /k0/quantize (c0) k0/quantized", // the Clip is part of the grid
		"Clip k0@4/clip (k0@4/quantized) k0@4/clipped",
		"QLinear",
		"Add /a (/a/input.0, /a/input.1) a",
		"QuantizeLinear /r/quantize (a) r/quantized",
		"MaxPool /p (r/quantized) p",
		"DequantizeLinear p@4/dequantize (p) p@4/dequantized",
		"LeakyRelu p@4/keep (p@4/dequantized) p@4/kept",
		"Gemm /y (/y/input.0, fc.w/dequantized, fc.b/dequantized) y",
	} {
		if has := strings.Contains("\n"+got+"\n", "\n"+want+"\n"); has == (want == "QLinear") {
			t.Errorf("line %q: %v in\n%s", want, has, got)
		}
	}
	for _, gone := range []string{"BatchNormalization", "Relu /r", "Clip /k0 "} {
		if strings.Contains(got, gone) {
			t.Errorf("%s is still there:\n%s", gone, got)
		}
	}
	for _, v := range m.Graph.Initializers() {
		if c := v.Const(); c.DType == tensor.Float32 && len(c.Shape) > 1 {
			t.Errorf("float weights %s are still there", v.Name())
		}
	}
	d := description(t, m)
	if d.Layers[1] != (metadata.LayerBits{Node: "/c1", W: 4, A: 4}) {
		t.Errorf("layers %v", d.Layers)
	}
}

func TestExportErrors(t *testing.T) {
	n := small(t)
	q := n.plan.Uniform(4)
	without := func(name string) *quantize.Supernet {
		s := &quantize.Supernet{Arrays: map[string]quantize.Array{}, EPS: n.supernet.EPS}
		for k, v := range n.supernet.Arrays {
			if k != name {
				s.Arrays[k] = v
			}
		}
		return s
	}
	old := n.model.Clone()
	old.SetOpset("", 12)
	recent := n.model.Clone()
	recent.SetOpset("", 24)
	tests := []struct {
		name string
		m    *onnx.Model
		s    *quantize.Supernet
		q    quantize.Policy
		want string
	}{
		{"missing step", n.model, without("step.a.k0.4"), q, `supernet has no array "step.a.k0.4"`},
		{"missing weights", n.model, without("weight./c1"), q, `fold layer "/c1"`},
		{"wrong policy", n.model, n.supernet, quantize.Policy{}, "policy has 0 layers"},
		{"old opset", old, n.supernet, q, "normalise the model first"},
		{"recent opset", recent, n.supernet, q, ""},
		{"another model", build(t, func(b *graphBuilder) { b.conv("y", "x", 4, 4) }), n.supernet, q, `layer "/c0" is not in the model`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := export.Export(tt.m, n.plan, tt.s, tt.q, export.Options{Profile: export.ProfileORT})
			switch {
			case tt.want == "" && (err != nil || m.Opset("") != 21 || m.IRVersion != 10):
				t.Errorf("error %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestSaturationWarning: lint names the layers whose pairs nobody bounded, and none where the program did.
func TestSaturationWarning(t *testing.T) {
	n := small(t)
	count := func(s *quantize.Supernet, q quantize.Policy) (warnings []string) {
		m, err := export.Export(n.model, n.plan, s, q, export.Options{Profile: export.ProfileORT})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := lint.Check(m, export.Named(export.ProfileORT).Conventions())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if f.Rule == "saturation" {
				warnings = append(warnings, f.Node)
			}
		}
		return warnings
	}
	// At 8 bits any layer may be hit, at 4 the first and last at most.
	if got := count(n.supernet, n.plan.Max()); len(got) < 2 {
		t.Errorf("at 8 bits: %v", got)
	}
	for _, node := range count(n.supernet, n.plan.Uniform(4)) {
		if node != "/c0" && node != "/y" {
			t.Errorf("at 4 bits: %s", node)
		}
	}
	for _, q := range []quantize.Policy{n.plan.Max(), n.plan.Uniform(4)} {
		if got := count(n.held(t, export.ProfileORT, q), q); len(got) > 0 {
			t.Errorf("bounded: %v", got)
		}
	}
}
