package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/search"
)

var update = flag.Bool("update", false, "rewrite the golden report")

func sample() (*pipeline.Result, pipeline.Manifest) {
	top1, low := 0.8854, 0.86
	r := &pipeline.Result{
		Model: "net.onnx", Data: "pictures.zip", Seed: 1, Fingerprint: "0123456789abcdef",
		Seconds: pipeline.Seconds{Train: 12.5}, Float: pipeline.FloatMetric{Top1: &top1, Loss: 0.35},
		Results: []pipeline.TargetResult{{
			Target: "4.0bit", Feasible: [2]float64{2, 8}, Unit: "bit", BitOPs: 650e6, AvgWeightBits: 4.2, AvgActivationBits: 3.9,
			PackedBytes: 140_000, Metric: pipeline.Metric{Top1: &low, Loss: 0.4, Agreement: 0.95},
			Uniform: pipeline.Uniform{Bits: 4, Top1: nil, BitOPs: 649e6},
			Policy: []pipeline.PolicyRow{
				{Node: "conv<1>", W: 8, A: 8, MACs: 100, Params: 10}, {Node: "fc", W: 3, A: 5, MACs: 300, Params: 30},
			},
			Files: []pipeline.File{{Profile: "ort", Path: "out/net-4.0bit.ort.onnx", Bytes: 1000, Verified: true, CodesCompared: 5000}},
			Search: &search.Result{
				Steps: []search.Step{
					{Phase: "descend", Kind: "w", Name: "fc", From: 4, To: 3, Loss: 0.41, BitOPs: 650e6},
					{Phase: "baseline", Loss: 0.4, BitOPs: 640e6},
				},
				Pareto: []search.Point{{BitOPs: 600e6, Loss: 0.5}, {BitOPs: 650e6, Loss: 0.41}, {BitOPs: 700e6, Loss: 0.40}},
			},
		}},
	}
	m := pipeline.Manifest{Version: 1, Model: pipeline.ModelInfo{Name: "net.onnx"}, Data: &pipeline.DataInfo{Train: 100, Test: 50, Classes: 10}}
	return r, m
}

func TestRenderGolden(t *testing.T) {
	got, err := render(newDocument(sample()))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "report.html")
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
		t.Errorf("report differs from %s, renew with -update and look at the change:\n%s", golden, d)
	}
}

func TestReportIsSelfContained(t *testing.T) {
	got, err := render(newDocument(sample()))
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?i)(src|href)\s*=|https?://|@import|<script`).Find(got); m != nil {
		t.Errorf("report refers to something outside: %q", m)
	}
	if bytes.Contains(got, []byte("conv<1>")) || !bytes.Contains(got, []byte("conv&lt;1&gt;")) {
		t.Error("node names are not escaped")
	}
	for _, want := range []string{"86.00 %", "88.54 %", "0.650 G", "5000", "weights of fc", "restart from the baseline", "polyline points"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("report lacks %q", want)
		}
	}
}

func TestWrite(t *testing.T) {
	r, m := sample()
	r.Workspace = t.TempDir()
	data, err := json.Marshal(m)
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
	path, err := Render(r.Workspace)
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
