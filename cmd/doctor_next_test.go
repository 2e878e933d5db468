package cmd

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/doctor"
)

// TestDoctorNext runs the command that doctor says to run next: with grey and odd-sized samples, another layout,
// outputs that are no class scores, few candidates, excluded nodes, another profile, and a path that a shell would
// split.
func TestDoctorNext(t *testing.T) {
	if testing.Short() {
		t.Skip("runs two commands for each network")
	}
	exporters, err := filepath.Abs("../onnx/pass/testdata/exporters")
	if err != nil {
		t.Fatal(err)
	}
	grey := sample.ModelFile(t, filepath.Join(t.TempDir(), "grey.onnx"), func(m *onnx.Model) { m.SetMetadata(models.PreprocessingKey, "") })
	fashion, colour := sample.SmallData(t, t.TempDir(), 128, 64), sample.Colours(t, 20, 40)
	for _, c := range []struct {
		name, model, data string
		flags, want       []string
	}{
		{"grey", grey, fashion, []string{"--bits", "2,3"}, []string{"--preset unit --resize 28x28 --color GRAY", "--bits 2,3", "--target 2.5bit"}},
		{"one width", grey, fashion, []string{"--bits", "4", "--exclude", "down", "--profile", "qonnx"}, []string{"--bits 4", "--exclude down", "--profile qonnx"}},
		{"no scores", filepath.Join(exporters, "detector-18-fixed.onnx"), colour, []string{"--weight-bits", "4,8"}, []string{"--no-labels", "--weight-bits 4,8", "--resize 16x16"}},
		{"another layout", filepath.Join(exporters, "channels-last-15.onnx"), colour, []string{"--no-labels", "--bits", "4,8"}, []string{"--layout NHWC", "--no-labels"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			d := diagnosed(t, append([]string{c.model, "--data", c.data}, c.flags...)...)
			for _, want := range c.want {
				if !strings.Contains(d.Next, want) {
					t.Errorf("next is %q, without %q", d.Next, want)
				}
			}
			words := strings.Fields(d.Next)
			if words[0] != "mpqc" || words[1] != "compress" {
				t.Fatalf("next is %q", d.Next)
			}
			program.Succeed(t, append(words[1:], program.Least...)...)
			s := d.Cost.Schedule
			if s == nil || s.Samples == 0 || s.EpochSeconds <= 0 || s.Seconds < s.EpochSeconds || s.Updates < 800 || s.Effort != "standard" {
				t.Errorf("schedule %+v", s)
			}
			// What is in the workspace now need not be said again.
			again := diagnosed(t, c.model)
			if strings.Contains(again.Next, "DATA") || strings.Contains(again.Next, "--preset") || again.Cost.Schedule == nil {
				t.Errorf("with a workspace: next %q, %+v", again.Next, again.Cost)
			}
		})
	}
	t.Run("samples that do not serve", func(t *testing.T) {
		code, stdout, _ := program.Call(t, "doctor", filepath.Join(exporters, "channels-last-15.onnx"), "--data", colour)
		program.NeedRuntime(t, code, stdout)
		if code != exit.Failed || !strings.Contains(stdout, "stops: the samples do not serve: the data has 2 classes, the model 10 outputs") {
			t.Errorf("exit code %d: %s", code, stdout)
		}
	})
}

// diagnosed runs doctor on a healthy model.
func diagnosed(t *testing.T, args ...string) doctor.Result {
	t.Helper()
	code, stdout, stderr := program.Call(t, append([]string{"doctor", "--json"}, args...)...)
	program.NeedRuntime(t, code, stderr)
	var d doctor.Result
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	if slices.ContainsFunc(d.Problems, func(f doctor.Finding) bool { return strings.Contains(f.Reason, "onnxruntime is not available") }) {
		testkit.Missing(t, "onnxruntime is not available")
	}
	if code != exit.Done || d.Cost == nil {
		t.Fatalf("exit code %d: %+v; %s", code, d.Problems, stderr)
	}
	return d
}

// TestNodesText: findings about many nodes stay readable.
func TestNodesText(t *testing.T) {
	for _, c := range []struct {
		n    int
		want string
	}{{0, ""}, {2, "n, n"}, {9, "9 nodes, n, n, n, n, n, n, ..."}} {
		if got := nodesText(slices.Repeat([]string{"n"}, c.n)); got != c.want {
			t.Errorf("%d nodes: %q", c.n, got)
		}
	}
	if got := duration(3.21) + " " + duration(4000); got != "3.2 s 1h6m40s" {
		t.Errorf("durations %s", got)
	}
}
