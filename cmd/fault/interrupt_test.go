package fault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestInterruptAndResume sends SIGINT to the real binary in mid-training on two threads, lets the same command go on,
// and compares every result with those of an undisturbed run on one thread: all of them are the same to the byte.
func TestInterruptAndResume(t *testing.T) {
	if testing.Short() {
		t.Skip("trains twice")
	}
	binary := program.Binary(t)
	source := t.TempDir()
	args := append([]string{
		"compress", "--target", "4.0bit", "--data", sample.SmallData(t, source, 256, 48),
		"--epochs", "2", "--train-samples", "256", "--batch", "16", "--paths", "2",
	}, program.Small...)
	calm, disturbed := t.TempDir(), t.TempDir()
	t.Chdir(calm)
	code, _, stderr := program.Call(t, append(args, "--threads", "1")...)
	program.NeedRuntime(t, code, stderr)
	if code != exit.Done {
		t.Fatalf("undisturbed: exit code %d: %s", code, stderr)
	}

	args = append(args, "--threads", "2")
	program.Interrupt(t, binary, disturbed, args, "sensitivities of the calibrated network", 0)
	stderr = program.Interrupt(t, binary, disturbed, args, "steps of", trainingTime(t, stderr)/8)
	if !strings.Contains(stderr, "run the same command again:\n  "+binary+" compress --target 4.0bit") {
		t.Errorf("the message does not say how to go on: %s", stderr)
	}
	if _, err := os.Stat(filepath.Join(disturbed, "example.mpqc", "checkpoint.safetensors")); err != nil {
		t.Errorf("no checkpoint: %v", err)
	}
	if _, err := os.Stat(filepath.Join(disturbed, "example.mpqc", "supernet.safetensors")); err == nil {
		t.Error("an unfinished supernet lies in the workspace")
	}

	text, err := program.Command(t, binary, disturbed, args).CombinedOutput()
	if err != nil {
		t.Fatalf("going on: %v\n%s", err, text)
	}
	if !strings.Contains(string(text), "going on at step ") {
		t.Errorf("training started anew:\n%s", text)
	}
	program.Same(t, filepath.Join(calm, "example.mpqc"), filepath.Join(disturbed, "example.mpqc"))
}

// TestInterruptStages sends SIGINT in every stage before and after training, one after the other in one workspace, and
// lets the same command come to its end.
func TestInterruptStages(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the whole job")
	}
	binary, dir := program.Binary(t), t.TempDir()
	args := append([]string{"compress", "--target", "4.0bit", "--data", sample.SmallData(t, t.TempDir(), 512, 48), "--epochs", "0", "--verbose"}, program.Small...)
	for _, text := range []string{"import ", "calibrate ", "feasible "} {
		program.Interrupt(t, binary, dir, args, text, 0)
	}
	if text, err := program.Command(t, binary, dir, args).CombinedOutput(); err != nil {
		t.Errorf("going on: %v\n%s", err, text)
	}
}

// trainingTime is how long a run says that training took.
func trainingTime(t *testing.T, stderr string) time.Duration {
	t.Helper()
	_, rest, _ := strings.Cut(stderr, "train            done in ")
	text := strings.Fields(rest + " ?")[0]
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("training took %q: %s", text, stderr)
	}
	return d
}
