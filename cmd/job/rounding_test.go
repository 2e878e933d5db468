package job

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// TestRounding: weights that make up for each other's rounding lose less than the nearest ones, in the found policy and
// in the baseline, and the supernet stays as it is, so that either way is a choice of every run. What was chosen stays
// chosen, and is not computed twice.
func TestRounding(t *testing.T) {
	data := sample.SmallData(t, t.TempDir(), 512, 1000)
	t.Chdir(t.TempDir())
	args := slices.Concat([]string{"--epochs", "0", "--data", data, "--rounding", "nearest"}, program.Small, []string{"--bits", "2,3,4,8"})
	nearest, seconds, _ := onTarget(t, "2.2bit", args...)
	codes, supernet := filepath.Join("example.mpqc", "codes.safetensors"), filepath.Join("example.mpqc", "supernet.safetensors")
	if _, err := os.Stat(codes); err == nil || seconds.Round != 0 {
		t.Errorf("rounding to the nearest took %g s, codes: %v", seconds.Round, err)
	}
	before := sample.Read(t, supernet)
	chosen, seconds, _ := onTarget(t, "2.2bit", "--rounding", "compensated")
	t.Logf("loss %.4f after %.4f, baseline %.4f after %.4f", chosen.Metric.Loss, nearest.Metric.Loss, *chosen.Uniform.Top1, *nearest.Uniform.Top1)
	if chosen.Metric.Loss >= nearest.Metric.Loss || *chosen.Uniform.Top1 <= *nearest.Uniform.Top1 || seconds.Round <= 0 {
		t.Errorf("loss %.4f after %.4f, baseline %.4f after %.4f, %g s", chosen.Metric.Loss, nearest.Metric.Loss, *chosen.Uniform.Top1, *nearest.Uniform.Top1,
			seconds.Round)
	}
	if string(sample.Read(t, supernet)) != string(before) || string(sample.Read(t, codes)) == "" {
		t.Error("another supernet")
	}
	program.Succeed(t, "verify", chosen.Files[0].Path)
	again, seconds, _ := onTarget(t, "2.2bit")
	if again.Files[0].SHA256 != chosen.Files[0].SHA256 || seconds.Round != 0 || program.Manifest(t, "example.mpqc").Options.Rounding != "compensated" {
		t.Errorf("run again without the flag: %+v, %g s", again.Files[0], seconds.Round)
	}
	back, _, _ := onTarget(t, "2.2bit", "--rounding", "nearest")
	if back.Files[0].SHA256 != nearest.Files[0].SHA256 {
		t.Errorf("rounded to the nearest again: %+v", back.Metric)
	}
	forth, seconds, _ := onTarget(t, "2.2bit", "--rounding", "compensated")
	if forth.Files[0].SHA256 != chosen.Files[0].SHA256 || seconds.Round != 0 {
		t.Errorf("codes once more: %+v, %g s", forth.Metric, seconds.Round)
	}
	if code, _, stderr := program.Call(t, "compress", "--rounding", "up"); code != exit.Usage || !strings.Contains(stderr, `rounding: "up" is not compensated or nearest`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestRoundingOfOneWidth: weights that were trained at one width alone have their nearest codes chosen for them, which
// differ from these at eight bits at most, where pairs are bounded; those that were only calibrated have others.
func TestRoundingOfOneWidth(t *testing.T) {
	data := sample.SmallData(t, t.TempDir(), 256, 100)
	t.Chdir(t.TempDir())
	args := []string{"compress", "--data", data, "--calibrate-samples", "64", "--norm-samples", "128", "--bits", "4"}
	if r, _ := program.Result(t, append(args, "--epochs", "0")...); r.Seconds.Round <= 0 {
		t.Errorf("calibrated: rounding took %g s", r.Seconds.Round)
	}
	calibrated := differing(t)
	trained, _ := program.Result(t, append(args, "--epochs", "1")...)
	if trained.Seconds.Train <= 0 || trained.Seconds.Round <= 0 || !trained.Results[0].Files[0].Verified {
		t.Errorf("trained: rounding took %g s after a training of %g s", trained.Seconds.Round, trained.Seconds.Train)
	}
	if n := differing(t); calibrated == 0 || n != 0 {
		t.Errorf("of codes at four bits %d are not the nearest after calibration, %d after training", calibrated, n)
	}
}

// differing counts the codes of four bits that are not the nearest, in the example's workspace.
func differing(t *testing.T) (n int) {
	t.Helper()
	supernet, err := quantize.LoadSupernet(filepath.Join("example.mpqc", "supernet.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	codes, err := quantize.LoadSupernet(filepath.Join("example.mpqc", "codes.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	layers := 0
	for name, a := range codes.Arrays {
		layer, four := strings.CutSuffix(strings.TrimPrefix(name, "code."), ".4")
		if !four || a.Codes == nil {
			continue
		}
		layers++
		w, step := supernet.Arrays[quantize.WeightName(layer)], supernet.Arrays[quantize.WeightStepName(layer, 4)].Data
		for i, c := range a.Codes {
			if nearest := min(max(math.RoundToEven(float64(w.Data[i]/step[i/(len(w.Data)/len(step))])), -8), 7); float64(c) != nearest {
				n++
			}
		}
	}
	if layers == 0 {
		t.Fatal("no layer has codes of four bits")
	}
	return n
}

// TestDamagedCodes: codes that are cut off, beyond their width or gone are chosen anew by compress, and are what they
// were; elsewhere they are an error that says what to do, not another file.
func TestDamagedCodes(t *testing.T) {
	first := program.DecodeResult(t, program.Example(t)).Results[0]
	path := filepath.Join("example.mpqc", "codes.safetensors")
	whole := sample.Read(t, path)
	for name, change := range map[string]func(codes []byte) []byte{
		"cut off": func(codes []byte) []byte { return codes[:len(codes)-1] },
		"beyond":  func(codes []byte) []byte { return beyond(t, codes) },
	} {
		sample.Write(t, path, change(whole))
		for _, command := range [][]string{{"export"}, {"verify", first.Files[0].Path}} {
			code, _, stderr := program.Call(t, command...)
			if code == 0 || !strings.Contains(stderr, "codes.safetensors is damaged: ") || !strings.Contains(stderr, "remove it, and mpqc compress chooses these codes anew") {
				t.Errorf("%s, %s: exit code %d, %s", name, command[0], code, stderr)
			}
		}
		again, stderr := program.Result(t, "compress", "--target", "4.0bit")
		if again.Results[0].Files[0].SHA256 != first.Files[0].SHA256 || !strings.Contains(stderr, "codes.safetensors is damaged: ") {
			t.Errorf("%s: chosen anew: %+v, %s", name, again.Results[0].Files[0], stderr)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := program.Call(t, "export"); code == 0 || !strings.Contains(stderr, "mpqc compress chooses these codes anew") {
		t.Errorf("without codes: exit code %d, %s", code, stderr)
	}
	if again, _, _ := onTarget(t, "4.0bit"); again.Files[0].SHA256 != first.Files[0].SHA256 {
		t.Errorf("codes chosen anew: %+v", again.Files[0])
	}
}

// TestUnroundedWarns: an export of weights for which no codes were chosen yet says so; with codes there is nothing to
// say.
func TestUnroundedWarns(t *testing.T) {
	program.Example(t)
	const warning = "rounded to the nearest: mpqc compress chooses some"
	if _, stderr := program.Result(t, "export"); strings.Contains(stderr, warning) {
		t.Errorf("with codes: %s", stderr)
	}
	program.EditManifest(t, "example.mpqc", func(m *workspace.Manifest) { delete(m.Stages, "round") })
	if _, stderr := program.Result(t, "export"); !strings.Contains(stderr, warning) {
		t.Errorf("without codes: %s", stderr)
	}
}

// beyond changes a code of three bits to one that has more.
func beyond(t *testing.T, archive []byte) []byte {
	t.Helper()
	size := binary.LittleEndian.Uint64(archive[:8])
	var arrays map[string]struct {
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(archive[8:8+size], &arrays); err != nil {
		t.Fatal(err)
	}
	for name, a := range arrays {
		if strings.HasPrefix(name, "code.") && strings.HasSuffix(name, ".3") {
			out := bytes.Clone(archive)
			out[8+int(size)+a.Offsets[0]] = 5
			return out
		}
	}
	t.Fatal("there are no codes of three bits")
	return nil
}
