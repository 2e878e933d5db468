package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize/search"
)

var update = flag.Bool("update", false, "rewrite the golden report")

// sample is a document with everything that a report can show.
func sample() document {
	top1, low, lower := 0.8854, 0.86, 0.85
	r := &record.Result{
		Model: "net.onnx", Data: "pictures.zip", Seed: 1, Fingerprint: "0123456789abcdef",
		Seconds: record.Seconds{Train: 12.5}, Float: record.FloatMetric{Top1: &top1, Loss: 0.35},
		Results: []record.TargetResult{{
			Target: "4.0bit", Feasible: [2]float64{2, 8}, Unit: "bit", BitOPs: 650e6, AvgWeightBits: 4.2, AvgActivationBits: 3.9,
			PackedBytes: 140_000, Metric: record.Metric{Top1: &low, Loss: 0.4, Agreement: 0.95},
			Uniform: record.Uniform{Bits: 4, Top1: nil, BitOPs: 649e6},
			Polish: &record.Polish{
				Epochs: 8, Before: record.Metric{Top1: &lower, Loss: 0.5, Agreement: 0.9}, Gain: &record.Gain{Top1: 0.01, Interval: [2]float64{0.004, 0.016}},
			},
			Policy: []record.PolicyRow{
				{Node: "conv<1>", W: 8, A: 8, MACs: 100, Params: 10}, {Node: "fc", W: 3, A: 5, MACs: 300, Params: 30},
			},
			Files: []record.File{{
				Profile: "ort", Path: "out/net-4.0bit.ort.onnx", Bytes: 1000, Verified: true, CodesCompared: 5_000_000, SamplesCompared: 50,
				IntegerOps: new(7), StoredBits: 8, Arithmetic: "8-bit integers in 7 of 8 operators", Limited: []string{"conv<1>"}, ImagesPerS: 150, FloatImagesPerS: 100,
				Outputs: []metric.Fidelity{{Name: "logits", SNR: 300}}, ComputedBy: "onnxruntime 1.28.2",
				FloatOps: []record.FloatOp{{Node: "resize", Op: "Resize", Reason: "it has no integer kernel"}},
			}},
			Search: &search.Result{
				Steps: []search.Step{
					{Phase: "descend", Kind: "w", Name: "fc", From: 4, To: 3, Loss: 0.41, BitOPs: 650e6},
					{Phase: "baseline", Loss: 0.4, BitOPs: 640e6},
				},
				Pareto: []search.Point{{BitOPs: 600e6, Loss: 0.5}, {BitOPs: 650e6, Loss: 0.41}, {BitOPs: 700e6, Loss: 0.40}},
				Score:  search.Score{Loss: 0.41}, UniformScore: search.Score{Loss: 0.45},
			},
		}},
	}
	f := newFound(r.Results[0])
	f.Random = &record.AtRandom{Policies: 50, Loss: 0.44}
	f.Verdict = &record.Verdict{Samples: 2048, Loss: 0.42, UniformLoss: 0.46, Gain: 0.04, Interval: [2]float64{0.03, 0.05}}
	return document{
		Result: r, Searches: []found{f},
		Artifacts: Artifacts{
			Layers: []record.ImportLayer{{Node: "conv<1>", Op: "Conv", Fixed: true}, {Node: "fc", Op: "Gemm"}, {Node: "odd", Op: "Conv", FloatReason: "weights are not constant"}},
			Training: &History{
				Steps: 40, Layers: []string{"conv<1>", "fc"},
				Curve:  []Mark{{Step: 20, Count: 20, Widest: 1, Random: 2, Teacher: 0.5}, {Step: 40, Count: 20, Widest: 0.5, Random: 1, Teacher: 0.25}},
				Events: []TurbulenceEvent{{Step: 10, Turbulence: []float64{0, 0.02}, Restricted: []int{1}}, {Step: 30, Turbulence: []float64{0, 0.01}, Restricted: []int{}}},
			},
			Front:       []search.Point{{BitOPs: 500e6, Loss: 0.8}, {BitOPs: 650e6, Loss: 0.4}, {BitOPs: 900e6, Loss: 0.1}},
			Uniform:     []search.Point{{BitOPs: 450e6, Loss: 2}, {BitOPs: 649e6, Loss: 0.45}, {BitOPs: 950e6, Loss: 0.1}},
			Sensitivity: &record.Sensitivity{Samples: 128, Base: 0.1, Layers: []record.LayerSensitivity{{Node: "conv<1>"}, {Node: "fc", W: 2, LossW: 0.3, A: 2, LossA: 0.2}}},
		},
		Manifest: workspace.Manifest{
			Version: 1, Model: workspace.ModelInfo{Name: "net.onnx"}, Data: &workspace.DataInfo{Train: 100, Test: 50, Classes: 10},
			Stages: map[string]workspace.StageState{"train": {Done: true, Seconds: 12.5}, "search 3.0bit": {}},
		},
	}
}

func TestRenderGolden(t *testing.T) {
	got, err := render(sample())
	if err != nil {
		t.Fatal(err)
	}
	matches(t, "report.html", got)
}

// TestFront draws the chart, as XML that holds together.
func TestFront(t *testing.T) {
	got, err := renderFront(newFront(sample()))
	if err != nil {
		t.Fatal(err)
	}
	matches(t, "front.svg", got)
	wellFormed(t, got)
	if none, err := renderFront(front{}); none != nil || err != nil {
		t.Errorf("a chart of nothing: %s, %v", none, err)
	}
}

// TestTurbulenceDrawing draws the maps, as XML that holds together.
func TestTurbulenceDrawing(t *testing.T) {
	doc := sample()
	doc.beside = newTraining(doc.Artifacts.Training, doc.Manifest)
	got, err := renderTurbulence(doc.turbulence())
	if err != nil {
		t.Fatal(err)
	}
	matches(t, "turbulence.svg", got)
	wellFormed(t, got)
	if none, err := renderTurbulence(turbulence{}); none != nil || err != nil {
		t.Errorf("a drawing of nothing: %s, %v", none, err)
	}
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// matches compares with a file in testdata, or renews it.
func matches(t *testing.T, name string, got []byte) {
	t.Helper()
	golden := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("it differs from %s, renew with -update and look at the change:\n%s", golden, d)
	}
}

func TestReportIsSelfContained(t *testing.T) {
	got, err := render(sample())
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?i)(src|href)\s*=|https?://|@import|<script`).Find(got); m != nil {
		t.Errorf("report refers to something outside: %q", m)
	}
	if bytes.Contains(got, []byte("conv<1>")) || !bytes.Contains(got, []byte("conv&lt;1&gt;")) {
		t.Error("node names are not escaped")
	}
	for _, want := range []string{
		"86.00 %", "88.54 %", "−2.54", "650 M", "5\u202f000\u202f000", "weights of <code>fc</code>", "back to the baseline", "<polyline points",
		"Better than the uniform baseline.", "0.0300 to 0.0500", "1.50×", "it has no integer kernel", "weights are not constant",
		`<path fill-opacity="1.000" d="M0 0h.94v.94h-.94z"/>`, `<path class="cut" d="M0 0.74h.94v.2h-.94z"/>`, "Turbulence, with the scheduler", "weights at 2 bit alone cost 0.200", "12.5 s",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("report lacks %q", want)
		}
	}
}

// TestJudgment: a verdict says whose samples it is from.
func TestJudgment(t *testing.T) {
	for _, tt := range []struct {
		verdict record.Verdict
		want    string
	}{
		{record.Verdict{Samples: 42, Held: true}, "on 42 samples that neither training nor search saw: "},
		{record.Verdict{Samples: 42}, "on 42 training samples that the search did not see: "},
		{record.Verdict{Samples: 42, Searched: true}, "on 42 training samples, those of the search, since no others are left: "},
	} {
		if got := newJudgment(found{Verdict: &tt.verdict}, record.TargetResult{}).Text; !strings.Contains(got, tt.want) {
			t.Errorf("%+v: %s", tt.verdict, got)
		}
	}
}

// TestFileWords: what a report says of a file follows from its counts and its comparison.
func TestFileWords(t *testing.T) {
	resize := []record.FloatOp{{Node: "resize", Op: "Resize", Reason: "it has no integer kernel"}}
	for _, c := range []struct {
		name       string
		file       record.File
		want, none []string
	}{
		{
			"nothing fused",
			record.File{Profile: "ort", Arithmetic: "float: none", IntegerOps: new(0), FloatOps: resize, CodesCompared: 9, Verified: true},
			[]string{"0 of 1 operators in onnxruntime", "<code>resize</code> (Resize)", ">float: none<", "none of 9", "exact"},
			nil,
		},
		{
			"fusion not measured",
			record.File{Profile: "trt", Arithmetic: "int8", CodesCompared: 9, CodesDifferent: 2, MaxCodeDiff: 1, Verified: true},
			[]string{">int8<", "2 of 9, by 1 at most", "within 1", "file size, trt"},
			[]string{"operators in onnxruntime", "not fused"},
		},
		{
			"not verified",
			record.File{Profile: "ort", IntegerOps: new(3), FloatOps: []record.FloatOp{}, CodesCompared: 9, CodesDifferent: 5, MaxCodeDiff: 7},
			[]string{"5 of 9, by 7 at most", "✗", "differs", "3 of 3 operators in onnxruntime", "<details open>"},
			[]string{"✓</b>"},
		},
		{
			"trained float model",
			record.File{Profile: "float", Bytes: 77},
			[]string{"77 B", ">float<"},
			[]string{"<dt>sha256", "✓</b>", "✗"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := sample()
			doc.Result.Results[0].Files = []record.File{c.file}
			html, err := render(doc)
			if err != nil {
				t.Fatal(err)
			}
			page := string(html)
			for _, want := range c.want {
				if !strings.Contains(page, want) {
					t.Errorf("report lacks %q", want)
				}
			}
			for _, none := range c.none {
				if strings.Contains(page, none) {
					t.Errorf("report says %q", none)
				}
			}
		})
	}
}

// TestBeside: the turbulence of another training stands beside a workspace's own, on the same scale.
func TestBeside(t *testing.T) {
	doc := sample()
	other := *doc.Artifacts.Training
	other.Events = []TurbulenceEvent{{Step: 10, Turbulence: []float64{0, 0.04}, Restricted: []int{}}}
	m := doc.Manifest
	m.Options.NoScheduler = new(true)
	doc.beside = newTraining(&other, m)
	both := newTurbulence(newTraining(doc.Artifacts.Training, doc.Manifest), doc.beside)
	if len(both.Maps) != 2 || both.Max != 0.04 || both.Min != 0.01 || both.Maps[0].Cuts == "" || both.Maps[1].Cuts != "" {
		t.Errorf("%+v", both)
	}
	if last := both.Maps[0].Shades[len(both.Maps[0].Shades)-1]; last.Opacity == "1.000" {
		t.Error("the lesser turbulence is drawn as the greatest")
	}
	html, err := render(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Turbulence, with the scheduler", "Turbulence, without the scheduler", "Every width stayed in play all the time."} {
		if !strings.Contains(string(html), want) {
			t.Errorf("report lacks %q", want)
		}
	}
	if _, err := otherTraining(t.TempDir()); err == nil {
		t.Error("a workspace without training stood beside")
	}
}

// TestEvenTurbulence: cells that are all alike are drawn, those of none are not.
func TestEvenTurbulence(t *testing.T) {
	h := &History{Layers: []string{"a"}, Events: []TurbulenceEvent{{Step: 1, Turbulence: []float64{0.5}}, {Step: 2, Turbulence: []float64{0}}}}
	m := newTurbulence(&training{History: h}, nil).Maps
	if len(m) != 1 || len(m[0].Shades) != 1 || m[0].Shades[0] != (shade{"1.000", "M0 0h.94v.94h-.94z"}) {
		t.Errorf("%+v", m)
	}
}

func TestWrite(t *testing.T) {
	sample := sample()
	r := sample.Result
	r.Workspace = t.TempDir()
	data, err := json.Marshal(sample.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.Workspace, "manifest.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(r); err != nil {
		t.Fatal(err)
	}
	var doc document
	data, err = os.ReadFile(filepath.Join(r.Workspace, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Result.Results[0].Target != "4.0bit" || len(doc.Searches[0].Steps) != 2 {
		t.Errorf("report.json holds %s", data)
	}
	first, err := os.ReadFile(Path(r))
	if err != nil {
		t.Fatal(err)
	}
	path, err := Render(r.Workspace, "")
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(first), string(again)); d != "" {
		t.Errorf("rendered again: %s", d)
	}
}

// TestWriteKeeps: results of earlier runs from the same supernet stay in a report, with the files that are still there.
func TestWriteKeeps(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) record.File {
		f := record.File{Profile: "ort", Path: filepath.Join("seen", "from", "elsewhere", name)}
		if err := os.WriteFile(filepath.Join(dir, "out", name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return f
	}
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	gone := record.File{Profile: "qnn", Path: "gone"}
	policy := []record.PolicyRow{{Node: "a", W: 4, A: 4}}
	doc := func(fingerprint string, results ...record.TargetResult) document {
		d := document{Result: &record.Result{Fingerprint: fingerprint, Results: results}}
		for _, r := range results {
			d.Searches = append(d.Searches, newFound(r))
		}
		return d
	}
	a, b, c := file("a"), file("b"), file("c")
	first := doc("1",
		record.TargetResult{Target: "3.0bit", BitOPs: 30, Policy: policy, Files: []record.File{a}},
		record.TargetResult{Target: "4.0bit", BitOPs: 40, Policy: policy, Files: []record.File{b, gone}, Metric: record.Metric{Loss: 1}},
		record.TargetResult{Target: "2.0bit", BitOPs: 20, Files: []record.File{gone}})
	names := func(d document) string {
		var out []string
		for i, r := range d.Result.Results {
			out = append(out, r.Target)
			if d.Searches[i].Target != r.Target {
				t.Errorf("search %s beside target %s", d.Searches[i].Target, r.Target)
			}
			for _, f := range r.Files {
				out = append(out, filepath.Base(f.Path))
			}
		}
		return strings.Join(out, " ")
	}
	again := b
	again.Bytes = 7
	more := doc("1", record.TargetResult{Target: "4.0bit", BitOPs: 40, Policy: policy, Files: []record.File{c, again}})
	m := merged(first, more, dir)
	if got := names(m); got != "4.0bit b c 3.0bit a" {
		t.Errorf("merged %s", got)
	}
	if r := m.Result.Results[0]; r.Files[0].Bytes != 7 || r.Metric.Loss != 1 {
		t.Errorf("merged result %+v", r)
	}
	if len(more.Result.Results) != 1 {
		t.Error("the result that was passed changed")
	}
	other := doc("1", record.TargetResult{Target: "4.0bit", BitOPs: 40, Policy: []record.PolicyRow{{Node: "a", W: 2, A: 4}}, Files: []record.File{c}})
	if got := names(merged(first, other, dir)); got != "4.0bit c 3.0bit a" {
		t.Errorf("files of another policy stayed: %s", got)
	}
	if got := names(merged(first, doc("2", record.TargetResult{Target: "4.0bit"}), dir)); got != "4.0bit" {
		t.Errorf("results of another supernet stayed: %s", got)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{ops(999), "999"},
		{ops(1000), "1.00 k"},
		{ops(650e6), "650 M"},
		{ops(12_345e6), "12.3 G"},
		{byteText(999), "999 B"},
		{byteText(1_500_000), "1.50 MB"},
		{count(int64(-1234567)), "-1\u202f234\u202f567"},
		{count(12), "12"},
		{number(0), "0"},
		{number(-0.00123), "−0.00123"},
		{number(12.345), "12.3"},
		{number(1e-9), "0.000000"},
		{times(3.0, int64(2)), "1.50×"},
		{times(3.0, 0.0), ""},
		{base(`out\x.onnx`), "x.onnx"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
