package cmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRounding: weights that make up for each other's rounding lose less than the nearest ones, in the found policy and in the baseline,
// and the supernet stays as it is, so that either way is a choice of every run. What was chosen stays chosen, and is not computed twice.
func TestRounding(t *testing.T) {
	data := smallData(t, t.TempDir(), 512, 400)
	t.Chdir(t.TempDir())
	args := slices.Concat([]string{"--epochs", "0", "--data", data, "--rounding", "nearest"}, small, []string{"--bits", "2,3,4,8"})
	nearest, seconds, _ := onTarget(t, "2.2bit", args...)
	codes, supernet := filepath.Join("example.mpqc", "codes.safetensors"), filepath.Join("example.mpqc", "supernet.safetensors")
	if _, err := os.Stat(codes); err == nil || seconds.Round != 0 {
		t.Errorf("rounding to the nearest took %g s, codes: %v", seconds.Round, err)
	}
	before := read(t, supernet)
	chosen, seconds, _ := onTarget(t, "2.2bit", "--rounding", "compensated")
	t.Logf("loss %.4f after %.4f, baseline %.4f after %.4f", chosen.Metric.Loss, nearest.Metric.Loss, *chosen.Uniform.Top1, *nearest.Uniform.Top1)
	if chosen.Metric.Loss >= nearest.Metric.Loss || *chosen.Uniform.Top1 <= *nearest.Uniform.Top1 || seconds.Round <= 0 {
		t.Errorf("loss %.4f after %.4f, baseline %.4f after %.4f, %g s", chosen.Metric.Loss, nearest.Metric.Loss, *chosen.Uniform.Top1, *nearest.Uniform.Top1,
			seconds.Round)
	}
	if string(read(t, supernet)) != string(before) || string(read(t, codes)) == "" {
		t.Error("another supernet")
	}
	succeed(t, "verify", chosen.Files[0].Path)
	again, seconds, _ := onTarget(t, "2.2bit")
	if again.Files[0].SHA256 != chosen.Files[0].SHA256 || seconds.Round != 0 || manifest(t, "example.mpqc").Options.Rounding != "compensated" {
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
	whole := read(t, codes)
	write(t, codes, whole[:len(whole)-1])
	if code, _, stderr := call(t, "compress", "--target", "2.2bit"); code == 0 || !strings.Contains(stderr, "codes.safetensors is damaged; remove it") {
		t.Errorf("damaged codes: exit code %d, %s", code, stderr)
	}
	if err := os.Remove(codes); err != nil {
		t.Fatal(err)
	}
	if anew, _, _ := onTarget(t, "2.2bit"); anew.Files[0].SHA256 != chosen.Files[0].SHA256 {
		t.Errorf("codes chosen anew: %+v", anew.Metric)
	}
	if code, _, stderr := call(t, "compress", "--rounding", "up"); code != exitUsage || !strings.Contains(stderr, `rounding: "up" is not compensated or nearest`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
