package cmd

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestInterruptAndResume sends SIGINT to the real binary in mid-training on two threads, lets the same command go on,
// and compares every result with those of an undisturbed run on one thread: all of them are the same to the byte.
func TestInterruptAndResume(t *testing.T) {
	if testing.Short() {
		t.Skip("trains twice")
	}
	binary := mpqc(t)
	source := t.TempDir()
	args := append([]string{
		"compress", "--target", "4.0bit", "--data", smallData(t, source, 256, 48),
		"--epochs", "2", "--train-samples", "256", "--batch", "16", "--paths", "2",
	}, small...)
	calm, disturbed := t.TempDir(), t.TempDir()
	t.Chdir(calm)
	code, _, stderr := call(t, append(args, "--threads", "1")...)
	needRuntime(t, code, stderr)
	if code != exitDone {
		t.Fatalf("undisturbed: exit code %d: %s", code, stderr)
	}

	args = append(args, "--threads", "2")
	interrupted(t, binary, disturbed, args, "sensitivities of the calibrated network", 0)
	stderr = interrupted(t, binary, disturbed, args, "steps of", trainingTime(t, stderr)/8)
	if !strings.Contains(stderr, "run the same command again:\n  "+binary+" compress --target 4.0bit") {
		t.Errorf("the message does not say how to go on: %s", stderr)
	}
	if _, err := os.Stat(filepath.Join(disturbed, "example.mpqc", "checkpoint.safetensors")); err != nil {
		t.Errorf("no checkpoint: %v", err)
	}
	if _, err := os.Stat(filepath.Join(disturbed, "example.mpqc", "supernet.safetensors")); err == nil {
		t.Error("an unfinished supernet lies in the workspace")
	}

	text, err := command(t, binary, disturbed, args).CombinedOutput()
	if err != nil {
		t.Fatalf("going on: %v\n%s", err, text)
	}
	if !strings.Contains(string(text), "going on at step ") {
		t.Errorf("training started anew:\n%s", text)
	}
	same(t, filepath.Join(calm, "example.mpqc"), filepath.Join(disturbed, "example.mpqc"))
}

// interruptTime is how long the program may work on after a signal, by its contract; busy is how much slower a machine may
// be that does other work beside the tests.
const (
	interruptTime = 2 * time.Second
	busy          = 6
)

// TestInterruptStages sends SIGINT in every stage before and after training, one after the other in one workspace, and
// lets the same command come to its end.
func TestInterruptStages(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the whole job")
	}
	binary, dir := mpqc(t), t.TempDir()
	args := append([]string{"compress", "--target", "4.0bit", "--data", smallData(t, t.TempDir(), 512, 48), "--epochs", "0", "--verbose"}, small...)
	for _, text := range []string{"import ", "calibrate ", "feasible "} {
		interrupted(t, binary, dir, args, text, 0)
	}
	if text, err := command(t, binary, dir, args).CombinedOutput(); err != nil {
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

// interrupted starts the binary, sends SIGINT some time after a text has come on stderr, and returns what it wrote there.
func interrupted(t *testing.T, binary, dir string, args []string, text string, after time.Duration) string {
	t.Helper()
	c := command(t, binary, dir, args)
	var stdout bytes.Buffer
	stderr := watch(text)
	c.Stdout, c.Stderr = &stdout, stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stderr.seen:
	case <-time.After(time.Minute):
		_ = c.Process.Kill()
		_ = c.Wait()
		needRuntime(t, exitFailed, stderr.String())
		t.Fatalf("%q did not come: %s", text, stderr.String())
	}
	time.Sleep(after)
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	err := c.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Fatalf("%v, want exit code %d: %s", err, exitInterrupted, stderr.String())
	}
	if d := time.Since(sent); d > busy*interruptTime {
		t.Errorf("ended %v after the signal, %q having come", d, text)
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout holds %s", stdout.String())
	}
	return stderr.String()
}

// watched is a buffer that tells when a text has come, or another one.
type watched struct {
	text, or string
	seen     chan struct{}

	mu sync.Mutex
	b  bytes.Buffer
	at time.Time // when it came
}

func watch(text string) *watched {
	return &watched{text: text, seen: make(chan struct{})}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.b.Write(p)
	if s := w.b.String(); w.at.IsZero() && (strings.Contains(s, w.text) || w.or != "" && strings.Contains(s, w.or)) {
		w.at = time.Now()
		close(w.seen)
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}
