package job

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/drawn"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline"
)

// FuzzAgreement takes random networks through the whole job. A file is what the simulation says, or the network is
// refused before any work, by a message that names a node of it.
func FuzzAgreement(f *testing.F) {
	for i := range byte(4) {
		f.Add([]byte{i, 0xa7, 3 * i})
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		n, err := drawn.Draw(script)
		if err != nil {
			t.Fatal(err)
		}
		agrees(t, n)
	})
}

// samples is how many a network is calibrated and tested with, half each.
const samples = 48

// agrees runs the job for a network.
func agrees(t *testing.T, n *drawn.Network) {
	t.Helper()
	dir := t.TempDir()
	model, data := filepath.Join(dir, "drawn.onnx"), filepath.Join(dir, "drawn.npz")
	if err := n.Model.Save(model); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, samples*n.Input.Numel())
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	computesFloat(t, n, x[:4*n.Input.Numel()])
	sample.NPZ(t, data, drawn.InputName, append(tensor.Shape{samples}, n.Input...), x)
	code, stdout, stderr := program.Call(t, "compress", model, "--data", data, "--no-labels", "--preset", "raw", "--epochs", "0",
		"--bits", strconv.Itoa(n.Bits), "--calibrate-samples", "16", "--search-samples", "8", "--norm-samples", "16",
		"--workspace", filepath.Join(dir, "w"), "--json", "--quiet")
	program.NeedRuntime(t, code, stderr)
	switch code {
	case exit.Done:
		r := program.DecodeResult(t, stdout)
		if file := r.Results[0].Files[0]; !file.Verified {
			t.Errorf("not verified: %+v\n%s", file, drawn.Listing(n.Model))
		}
		record(t, "done", "")
	case exit.Failed, exit.Usage:
		record(t, "refused", stderr)
		if !refusal(n.Model, stderr) {
			t.Errorf("exit code %d: %s\n%s", code, stderr, drawn.Listing(n.Model))
		}
	default:
		record(t, "wrong", stderr)
		t.Errorf("exit code %d: %s\n%s", code, stderr, drawn.Listing(n.Model))
	}
}

var _ = json.Marshal
var _ = pipeline.Result{}

func record(t *testing.T, what, text string) {
	if path := os.Getenv("MPQC_AGREEMENT_LOG"); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			f.WriteString(t.Name() + "\t" + what + "\t" + strings.TrimSpace(text) + "\n")
			f.Close()
		}
	}
}

// late are stages that come after work was done.
var late = regexp.MustCompile(`^mpqc: (train|search|export|verify|eval|report): `)

// refusal reports whether a message refuses a model before any work and names a node of it.
func refusal(m *onnx.Model, text string) bool {
	if late.MatchString(text) || strings.Contains(text, "goroutine") {
		return false
	}
	if strings.Contains(text, "nothing to quantize") {
		return true
	}
	for _, n := range m.Graph.Nodes() {
		if strings.Contains(text, n.Name()) {
			return true
		}
	}
	return false
}
