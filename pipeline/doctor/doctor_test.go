package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/options"
)

// TestModels examines whole networks: nothing stops, every layer of import is there, training has been timed.
func TestModels(t *testing.T) {
	for name, layers := range map[string]int{
		"resnet20-cifar10": 20, "resnet20-cifar10-bn": 20, "resnet18-cifar10-64": 21, "mobilenetv2-cifar10-64": 53, "efficientnet-lite0-imagenet": 50,
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && layers > 21 {
				t.Skip("large")
			}
			path := testkit.Shared(t, "models/"+name+".onnx")
			dir := t.TempDir()
			t.Chdir(dir)
			r, err := Examine(t.Context(), pipeline.Options{ModelOptions: options.ModelOptions{Model: path}})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range r.Problems {
				if p.Stops && strings.Contains(p.Reason, "onnxruntime is not available") {
					testkit.Missing(t, "%s", p.Reason)
				}
				if p.Reason == "" || p.Fix == "" {
					t.Errorf("problem %+v says too little", p)
				}
			}
			if r.Stops() || len(r.Layers) != layers || !strings.HasPrefix(r.Next, "mpqc compress ") {
				t.Errorf("%d layers, %d wanted; next %q; problems %+v", len(r.Layers), layers, r.Next, r.Problems)
			}
			if r.Cost == nil || r.Cost.MSPerStep <= 0 || r.Cost.MemoryMB < float64(r.Cost.Batch) {
				t.Errorf("cost %+v", r.Cost)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("files were left: %v, %v", left, err)
			}
		})
	}
}

// TestFindings examines broken and peculiar models: each finding names the node and what to do, and all nodes
// in the way are named, not only the first.
func TestFindings(t *testing.T) {
	samples := tensor.Shape{-1, 3, 8, 8}
	chain := func(ops ...string) func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
		return func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			for _, op := range ops {
				v = sample.Node(t, g, "the "+op, op, v)
			}
			return v
		}
	}
	for _, c := range []struct {
		name  string
		model *onnx.Model
		stops bool
		want  []string // parts of "node: reason / fix", each in one problem
		trt   bool     // for profile trt instead of ort
	}{
		{"healthy", sample.Network(t, samples, tensor.Float32, chain("Relu")), false, nil, false},
		{"open size", sample.Network(t, tensor.Shape{-1, 3, -1, 8}, tensor.Float32, nil), true, []string{"x: dimension 2 of the input"}, false},
		{"integer input", sample.Network(t, samples, tensor.Uint8, nil), true, []string{"x: the input is uint8"}, false},
		{
			"two unknown operators", sample.Network(t, samples, tensor.Float32, chain("Hardmax", "com.acme:Magic", "Relu", "NonZero")), true,
			[]string{"the Hardmax: Hardmax", "the com.acme:Magic: com.acme.Magic", "the NonZero: NonZero"},
			false,
		},
		{"HardSwish", sample.Network(t, samples, tensor.Float32, chain("HardSwish")), false, []string{"the HardSwish: HardSwish is never below -0.375", "profile trt has no zero points"}, true},
		{"operators in float", sample.Network(t, samples, tensor.Float32, chain("Softplus", "Elu")), false, nil, false},
		{"HardSwish with zero points", sample.Network(t, samples, tensor.Float32, chain("HardSwish")), false, nil, false},
		{
			"SiLU", sample.Network(t, samples, tensor.Float32, func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
				return sample.Node(t, g, "silu", "Mul", v, sample.Node(t, g, "gate", "Sigmoid", v))
			}), false, []string{"silu: SiLU is never below -0.278"}, true,
		},
		{
			"shared weights", sample.Network(t, samples, tensor.Float32, func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
				w, err := g.AddInitializer("both", tensor.From(tensor.Shape{4, 4, 1, 1}, make([]float32, 16)))
				if err != nil {
					t.Fatal(err)
				}
				return sample.Node(t, g, "b", "Conv", sample.Node(t, g, "a", "Conv", v, w), w)
			}), false, []string{`a: weights "both" are shared with b`}, false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Contains(c.name, "unknown") {
				c.model.SetOpset("com.acme", 1)
			}
			profile := export.ProfileORT
			if c.trt {
				profile = export.ProfileTRT
			}
			r := examined(t, c.model, profile)
			for _, p := range r.Problems {
				if strings.Contains(p.Reason, "onnxruntime is not available") {
					testkit.Missing(t, "%s", p.Reason)
				}
			}
			if r.Stops() != c.stops {
				t.Errorf("stops is %v, %v wanted: %+v", r.Stops(), c.stops, r.Problems)
			}
			for _, want := range c.want {
				found := false
				for _, p := range r.Problems {
					found = found || strings.Contains(p.Node+": "+p.Reason+" / "+p.Fix, want) && p.Fix != ""
				}
				if !found {
					t.Errorf("nothing says %q: %+v", want, r.Problems)
				}
			}
			for _, p := range r.Problems {
				if len(c.want) == 0 && strings.Contains(p.Reason, "zero points") {
					t.Errorf("a problem that is none: %+v", p)
				}
			}
		})
	}
}

func examined(t *testing.T, m *onnx.Model, profile string) *Result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	r, err := Examine(t.Context(), pipeline.Options{ModelOptions: options.ModelOptions{Model: path}, ExportOptions: options.ExportOptions{Profiles: []string{profile}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestKinds: nodes with the same problem are one finding, with the fix of its kind, and what follows from another
// problem is none.
func TestKinds(t *testing.T) {
	samples := tensor.Shape{-1, 3, 8, 8}
	scalar := func(g *onnx.Graph, name string, v *tensor.Tensor) *onnx.Value {
		c, err := g.AddInitializer(name, v)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	quantized := sample.Network(t, samples, tensor.Float32, func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
		step, zero := scalar(g, "step", tensor.From(tensor.Shape{}, []float32{0.1})), scalar(g, "zero", tensor.From(tensor.Shape{}, []uint8{0}))
		for _, k := range []string{"1", "2"} {
			v = sample.Node(t, g, "dq"+k, "DequantizeLinear", sample.Node(t, g, "q"+k, "QuantizeLinear", v, step, zero), step, zero)
		}
		return v
	})
	function, err := onnx.Load(filepath.Join("testdata", "function.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		model *onnx.Model
		o     pipeline.Options
		nodes string
		fix   string
		stops bool
	}{
		{"quantized", quantized, pipeline.Options{}, "q1 dq1 q2 dq2", "start from the float model", true},
		{"functions", function, pipeline.Options{}, "act1 act2", "inline_local_functions", true},
		{"excluded", sample.Network(t, samples, tensor.Float32, nil), pipeline.Options{WidthOptions: options.WidthOptions{Exclude: []string{"second"}}}, "second", "drop --exclude", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Model = filepath.Join(t.TempDir(), "model.onnx")
			if err := c.model.Save(c.o.Model); err != nil {
				t.Fatal(err)
			}
			r, err := Examine(t.Context(), c.o)
			if err != nil {
				t.Fatal(err)
			}
			var about []Finding
			for _, p := range r.Problems {
				if strings.Contains(p.Reason, "onnxruntime is not available") {
					testkit.Missing(t, "%s", p.Reason)
				}
				if p.Stops || p.Node != "" {
					about = append(about, p)
				}
			}
			if len(about) != 1 || strings.Join(about[0].Nodes, " ") != c.nodes || about[0].Node != about[0].Nodes[0] ||
				!strings.Contains(about[0].Fix, c.fix) || about[0].Stops != c.stops {
				t.Errorf("problems %+v", r.Problems)
			}
		})
	}
}

// TestMemory: a batch that does not fit is made smaller in the command to run next.
func TestMemory(t *testing.T) {
	m := sample.Network(t, tensor.Shape{-1, 3, 8, 8}, tensor.Float32, nil)
	d := &doctor{o: pipeline.Options{ModelOptions: options.ModelOptions{Model: "my model.onnx"}}.WithDefaults(), read: m, model: m, result: &Result{Profile: export.ProfileORT}}
	d.memory(&TrainingCost{Batch: 64, MemoryMB: 1e12})
	if next := next(d); d.fits != 1 || !strings.Contains(next, " --batch 1") || !strings.Contains(next, "compress 'my model.onnx' ") {
		t.Errorf("%d fit, next %q", d.fits, next)
	}
}

// TestDamage examines files that are no models.
func TestDamage(t *testing.T) {
	whole, err := sample.Network(t, tensor.Shape{-1, 3, 8, 8}, tensor.Float32, nil).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"empty": {}, "text": []byte("<html>"), "cut short": whole[:len(whole)/2]} {
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Examine(t.Context(), pipeline.Options{ModelOptions: options.ModelOptions{Model: path}})
		if err != nil || !r.Stops() || len(r.Problems) != 1 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if _, err := Examine(t.Context(), pipeline.Options{ModelOptions: options.ModelOptions{Model: "none.onnx"}}); err == nil {
		t.Error("a missing file was examined")
	}
}

// TestFeatures: where layers stay behind the cut, what leaves the core are no class scores, for doctor as for compress,
// and a share of the samples is kept for verdicts.
func TestFeatures(t *testing.T) {
	m := sample.Network(t, tensor.Shape{-1, 3, 8, 8}, tensor.Float32, nil)
	last := m.Graph.Node("last")
	n, err := m.Graph.AddNode(onnx.NodeSpec{Name: "odd", Op: "Hardmax", Inputs: last.Inputs()[:1], Outputs: []string{"odd.out"}}, last)
	if err != nil {
		t.Fatal(err)
	}
	last.SetInput(0, n.Output(0))
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	r, err := Examine(t.Context(), pipeline.Options{ModelOptions: options.ModelOptions{Model: path}, DataOptions: options.DataOptions{Data: sample.ClassFolders(t, 2000, nil)}, WidthOptions: options.WidthOptions{Exclude: []string{"last"}}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Stops() || r.Cost == nil || r.Cost.Schedule == nil || r.Cost.Schedule.Samples != 900 {
		t.Errorf("cost %+v, problems %+v", r.Cost, r.Problems)
	}
	if text := fmt.Sprint(r.Problems); strings.Contains(text+r.Next, "--no-labels") {
		t.Errorf("%s; next %s", text, r.Next)
	}
}
