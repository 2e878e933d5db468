//go:build cgo

package pipeline

import (
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/session"
)

// exampleFile writes the embedded network, edited, into dir and returns its path.
func exampleFile(t *testing.T, dir, name string, edit func(*onnx.Model)) string {
	t.Helper()
	if err := ort.Available(); err != nil {
		t.Skip(err)
	}
	b, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(b, "")
	if err != nil {
		t.Fatal(err)
	}
	edit(m)
	path := filepath.Join(dir, name)
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// classFolders writes n pictures of 28x28 pixels into ten class folders. Those that broken names are no pictures.
func classFolders(t *testing.T, n int, broken map[int]bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pictures")
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("c%d", i*10/n), fmt.Sprintf("%04d.png", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		m := image.NewGray(image.Rect(0, 0, 28, 28))
		for k := range m.Pix {
			m.Pix[k] = uint8(k * (i%17 + 1) / 3)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if !broken[i] {
			err = png.Encode(f, m)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestEvalChecksItsSample: of 600 pictures eval decodes those it measures, with progress, and others only in place of
// broken ones among them.
func TestEvalChecksItsSample(t *testing.T) {
	model := exampleFile(t, t.TempDir(), "a.onnx", func(*onnx.Model) {})
	const n, samples, seed = 600, 200, 5
	order := permuted(n, n, "eval", seed)
	broken := map[int]bool{order[3]: true}
	for _, i := range order[samples+1 : samples+50] { // never drawn: too many for the whole set
		broken[i] = true
	}
	var said []string
	var done, total int64
	o := Options{Model: model, Data: classFolders(t, n, broken), Seed: ptr(uint64(seed)), Events: func(e Event) {
		switch {
		case e.Stage == StageData && e.Kind == EventProgress:
			done, total = e.Done, e.Total
		case e.Stage == StageData:
			said = append(said, e.Text)
		}
	}}
	r, err := Eval(t.Context(), o, EvalOptions{Split: "all", Samples: samples})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(said, "\n")
	if r.N != samples || !strings.Contains(text, "201 pictures checked") || !strings.Contains(text, "1 test picture cannot be used") {
		t.Errorf("%d pictures: %s", r.N, text)
	}
	if done != 1 || total != 1 { // the one that was drawn in place of the broken one came last
		t.Errorf("progress ends at %d of %d", done, total)
	}
	if _, err := Eval(t.Context(), o, EvalOptions{Split: "all"}); err == nil || !strings.Contains(err.Error(), "of 600 pictures cannot be used") {
		t.Errorf("all pictures: %v", err)
	}
}

// TestEvalAgainst compares two models batch by batch; that must give what their outputs for all pictures give. One has a
// fixed batch, which divides neither the other's nor the number of pictures.
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
	o := Options{Model: model, Data: classFolders(t, 150, nil)}
	j, err := evalJob(o)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	read, err := readScores(model)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.openDataFor(read, "all"); err != nil {
		t.Fatal(err)
	}
	outputs := func(path string) []float32 {
		d, err := session.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := j.measure(t.Context(), d, j.data.test, all(150), measurement{keep: true}, j.o.Events.start(StageEval, "", ""))
		if err != nil {
			t.Fatal(err)
		}
		return r.logits
	}
	a, b := outputs(model), outputs(other)
	share, flips := scores(10).agreement(b, a, 150)
	var kl float64
	for i := range 150 {
		kl += divergence(b[10*i:10*i+10], a[10*i:10*i+10]) / 150
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

// TestMeasureKeepsOnRequest: outputs of all pictures stay in memory only where they are wanted.
func TestMeasureKeepsOnRequest(t *testing.T) {
	r := &reference{}
	b := batchOf{n: 2, done: 2}
	for _, keep := range []bool{false, true} {
		if err := r.add(t.Context(), make([]float32, 6), b, measurement{keep: keep}); err != nil || (len(r.logits) > 0) != keep {
			t.Errorf("keep %v: %d outputs, %v", keep, len(r.logits), err)
		}
	}
	other := measurement{against: stored(make([]float32, 8), 2)}
	if err := r.add(t.Context(), make([]float32, 6), b, other); err == nil || !strings.Contains(err.Error(), "different numbers of outputs") {
		t.Errorf("error %v", err)
	}
}

// TestEvalBehindCut measures files that go on behind the scores with one of another number of values: classes and kinds of
// outputs are those at the cut, which has names that the file's own outputs have not.
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
		whole.SetMetadata(export.CutKey, `["`+scores+`"]`)
		*m = *whole
	})
	o := Options{Model: model, Data: classFolders(t, 40, nil)}
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

// TestDoctorFeatures: where layers stay behind the cut, what leaves the core are no class scores, for doctor as for compress,
// and a share of the pictures is kept for verdicts.
func TestDoctorFeatures(t *testing.T) {
	m := sick(t, tensor.Shape{-1, 3, 8, 8}, tensor.Float32, plain)
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
		t.Skip(err)
	}
	r, err := Doctor(t.Context(), Options{Model: path, Exclude: []string{"last"}, Data: classFolders(t, 2000, nil)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Stops() || r.Cost == nil || r.Cost.Schedule == nil || r.Cost.Schedule.Pictures != 900 {
		t.Errorf("cost %+v, problems %+v", r.Cost, r.Problems)
	}
	if text := fmt.Sprint(r.Problems); strings.Contains(text+r.Next, "--no-labels") {
		t.Errorf("%s; next %s", text, r.Next)
	}
}

// TestSeveralAtCut follows the advice on --exclude within a residual branch: two values cross, and training works toward both.
func TestSeveralAtCut(t *testing.T) {
	m := sick(t, tensor.Shape{-1, 3, 8, 8}, tensor.Float32, func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
		w, err := g.AddInitializer("w", tensor.From(tensor.Shape{4, 4, 1, 1}, []float32{1, 0, -1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1}))
		if err != nil {
			t.Fatal(err)
		}
		r := node(t, g, "r", "Relu", v)
		return node(t, g, "d", "Add", node(t, g, "c", "Conv", node(t, g, "s", "Selu", node(t, g, "b", "Conv", r, w)), w), r)
	})
	dir := t.TempDir()
	o := Options{
		Model: filepath.Join(dir, "model.onnx"), Workspace: filepath.Join(dir, "w"), Exclude: []string{"c", "second", "last"},
		Data: classFolders(t, 200, nil), Epochs: ptr(0.1), CalibrateSamples: 16, SearchSamples: 8, NormSamples: 16,
		WeightBits: []int{4, 8}, ActivationBits: []int{4, 8}, Edit: PreprocessingEdit{Preset: "imagenet", Resize: []int{8, 8}, Crop: []int{8, 8}},
	}
	if err := m.Save(o.Model); err != nil {
		t.Fatal(err)
	}
	if err := ort.Available(); err != nil {
		t.Skip(err)
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Results[0].Files[0]; !f.Verified || f.TailUnrun != "" || len(f.Tail) < 5 {
		t.Errorf("file %+v", f)
	}
}
