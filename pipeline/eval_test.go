//go:build cgo

package pipeline

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/samples"
)

// exampleFile writes the embedded network, edited, into dir and returns its path.
func exampleFile(t *testing.T, dir, name string, edit func(*onnx.Model)) string {
	t.Helper()
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	return sample.ModelFile(t, filepath.Join(dir, name), edit)
}

// TestEvalChecksItsSample: of 600 samples eval decodes those it measures, with progress, and others only in place of
// broken ones among them.
func TestEvalChecksItsSample(t *testing.T) {
	model := exampleFile(t, t.TempDir(), "a.onnx", func(*onnx.Model) {})
	const n, most, seed = 600, 200, 5
	order := samples.Permuted(n, n, "eval", seed)
	broken := map[int]bool{order[3]: true}
	for _, i := range order[most+1 : most+50] { // never drawn: too many for the whole set
		broken[i] = true
	}
	var said []string
	var done, total int64
	o := Options{
		Seed: new(uint64(seed)),
		Events: func(e event.Event) {
			switch {
			case e.Stage == event.StageData && e.Kind == event.Progress:
				done, total = e.Done, e.Total
			case e.Stage == event.StageData:
				said = append(said, e.Text)
			}
		},
		ModelOptions: options.ModelOptions{Model: model},
		DataOptions:  options.DataOptions{Data: sample.ClassFolders(t, n, broken)},
	}
	r, err := Eval(t.Context(), o, EvalOptions{Split: "all", Samples: most})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(said, "\n")
	if r.N != most || !strings.Contains(text, "201 samples checked") || !strings.Contains(text, "1 test sample cannot be used") {
		t.Errorf("%d samples: %s", r.N, text)
	}
	if done != 1 || total != 1 { // the one that was drawn in place of the broken one came last
		t.Errorf("progress ends at %d of %d", done, total)
	}
	if _, err := Eval(t.Context(), o, EvalOptions{Split: "all"}); err == nil || !strings.Contains(err.Error(), "of 600 samples cannot be used") {
		t.Errorf("all samples: %v", err)
	}
}

// TestEvalAgainst compares two models batch by batch; that must give what their outputs for all samples give. One has a
// fixed batch, which divides neither the other's nor the number of samples.
func TestEvalAgainst(t *testing.T) {
	dir := t.TempDir()
	model := exampleFile(t, dir, "a.onnx", func(*onnx.Model) {})
	other := exampleFile(t, dir, "b.onnx", func(m *onnx.Model) {
		in := m.Graph.Inputs()[0]
		shape, _ := in.Shape()
		in.SetType(in.DType(), append(tensor.Shape{7}, shape[1:]...))
		for _, v := range m.Graph.Initializers() {
			if c := v.Const(); c.DType == tensor.Float32 && len(c.Shape) >= 2 {
				w, err := tensor.Floats(c)
				if err != nil {
					t.Fatal(err)
				}
				for i := range w {
					w[i] *= float32(i%4) - 1
				}
				if err := v.SetConst(tensor.From(c.Shape, w)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	o := Options{ModelOptions: options.ModelOptions{Model: model}, DataOptions: options.DataOptions{Data: sample.ClassFolders(t, 150, nil)}}
	e, c, err := evalSite(o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Pool.Close()
	read, err := readScores(model)
	if err != nil {
		t.Fatal(err)
	}
	splits, err := samplesFor(e, read, nil, c.Options, "all")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = splits.Close() }()
	var list metric.Outputs
	measured := func(path string) []float32 {
		d, err := session.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := evaluation.Measure(t.Context(), e, d, splits, samples.All(150), nil, measurement.Options{Keep: true}, e.Start(event.StageEval, "", ""))
		if err != nil {
			t.Fatal(err)
		}
		list = r.Outputs
		return r.Logits
	}
	a, b := measured(model), measured(other)
	share, flips := list.Agreement(b, a, 150)
	var kl float64
	for i := range 150 {
		kl += list.Distance(b[10*i:10*i+10], a[10*i:10*i+10], nil, 1) / 150
	}
	if flips == 0 || kl < 1e-3 {
		t.Fatalf("the models agree: %d flips, KL %g", flips, kl)
	}
	r, err := Eval(t.Context(), o, EvalOptions{Split: "all", Against: other})
	if err != nil {
		t.Fatal(err)
	}
	if r.Agreement == nil || math.Abs(*r.Agreement-share) > 1e-12 || r.KL == nil || math.Abs(*r.KL-kl) > 1e-6*kl {
		t.Errorf("agreement %v, KL %v, want %g and %g", *r.Agreement, *r.KL, share, kl)
	}
	if r, err = Eval(t.Context(), o, EvalOptions{Split: "all"}); err != nil || r.Agreement != nil || r.KL != nil {
		t.Errorf("nothing to compare with: %+v, %v", r, err)
	}
}

// TestEvalBehindCut measures files that go on behind the scores with one of another number of values: classes and kinds
// of outputs are those at the cut, which has names that the file's own outputs have not.
func TestEvalBehindCut(t *testing.T) {
	var scores string
	model := exampleFile(t, t.TempDir(), "a.onnx", func(m *onnx.Model) {
		out := m.Graph.Outputs()[0]
		scores = out.Name()
		k, err := m.Graph.AddInitializer("k", tensor.From(tensor.Shape{1}, []int64{5}))
		if err != nil {
			t.Fatal(err)
		}
		n, err := m.Graph.AddNode(onnx.NodeSpec{Name: "top", Op: "TopK", Inputs: []*onnx.Value{out, k}, Outputs: []string{"values", "classes"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		n.Output(0).SetType(tensor.Float32, tensor.Shape{-1, 5})
		whole, err := m.Extract(onnx.Names(m.Graph.Inputs()), []string{"values"})
		if err != nil {
			t.Fatal(err)
		}
		whole.Graph.Value(scores).SetType(tensor.Float32, tensor.Shape{-1, 10}) // as export writes it
		whole.SetMetadata(metadata.CutKey, `["`+scores+`"]`)
		*m = *whole
	})
	o := Options{ModelOptions: options.ModelOptions{Model: model}, DataOptions: options.DataOptions{Data: sample.ClassFolders(t, 40, nil)}}
	for _, c := range []struct {
		kinds []string
		fails string
	}{
		{nil, ""}, {[]string{scores + "=scores"}, ""}, {[]string{"values=values"}, ""}, {[]string{"nothing=values"}, `no output "nothing"`},
	} {
		o.OutputKinds = c.kinds
		r, err := Eval(t.Context(), o, EvalOptions{Split: "all"})
		if c.fails == "" && (err != nil || r.Top1 == nil) || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("kinds %v: %+v, %v", c.kinds, r, err)
		}
	}
}

// TestSeveralAtCut follows the advice on --exclude within a residual branch: two values cross, and training works
// toward both.
func TestSeveralAtCut(t *testing.T) {
	m := sample.Network(t, tensor.Shape{-1, 3, 8, 8}, tensor.Float32, func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
		w, err := g.AddInitializer("w", tensor.From(tensor.Shape{4, 4, 1, 1}, []float32{1, 0, -1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1}))
		if err != nil {
			t.Fatal(err)
		}
		r := sample.Node(t, g, "r", "Relu", v)
		return sample.Node(t, g, "d", "Add", sample.Node(t, g, "c", "Conv", sample.Node(t, g, "s", "Selu", sample.Node(t, g, "b", "Conv", r, w)), w), r)
	})
	dir := t.TempDir()
	o := Options{
		Workspace:          filepath.Join(dir, "w"),
		ModelOptions:       options.ModelOptions{Model: filepath.Join(dir, "model.onnx")},
		DataOptions:        options.DataOptions{Data: sample.ClassFolders(t, 200, nil), Edit: PreprocessingEdit{Preset: "imagenet", Resize: []int{8, 8}, Crop: []int{8, 8}}},
		WidthOptions:       options.WidthOptions{Exclude: []string{"c", "second", "last"}, WeightBits: []int{4, 8}, ActivationBits: []int{4, 8}},
		CalibrationOptions: options.CalibrationOptions{CalibrateSamples: 16},
		TrainingOptions:    options.TrainingOptions{Epochs: new(0.1)},
		SearchOptions:      options.SearchOptions{ScoreOptions: options.ScoreOptions{SearchSamples: 8}},
		NormOptions:        options.NormOptions{NormSamples: 16},
	}
	if err := m.Save(o.Model); err != nil {
		t.Fatal(err)
	}
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Results[0].Files[0]; !f.Verified || f.TailUnrun != "" || len(f.Tail) < 5 {
		t.Errorf("file %+v", f)
	}
}
