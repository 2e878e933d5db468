package cmd

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the real binary as releases build it: onnxruntime is not linked but looked for at run time. Built once.
var program struct {
	once sync.Once
	dir  string
	err  error
}

// mpqc is the path of the real binary.
func mpqc(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		program.dir, program.err = os.MkdirTemp("", "mpqc-program-*") //nolint:usetesting // outlives the test that makes it
		if program.err == nil {
			program.err = build(t, filepath.Join(program.dir, "mpqc"), "-tags", "mpqc_nolink")
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.dir, "mpqc")
}

func build(t *testing.T, out string, args ...string) error {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"build", "-o", out}, args, []string{"github.com/mpqc/mpqc/cmd/mpqc"})...)
	// The tests stand in other folders; the module is where this package was compiled.
	c.Dir = sourceDir(t)
	if text, err := c.CombinedOutput(); err != nil {
		return errors.New(string(text))
	}
	return nil
}

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

	args = append(args, "--threads", "2", "--checkpoint-every", "1ms") // the first one is due after a step
	stderr = interrupted(t, binary, disturbed, args)
	if !strings.Contains(stderr, "run the same command again:\n  "+binary+" compress --target 4.0bit") {
		t.Errorf("the message does not say how to go on: %s", stderr)
	}
	if _, err := os.Stat(filepath.Join(disturbed, "example.mpqc", "checkpoint.safetensors")); err != nil {
		t.Errorf("no checkpoint: %v", err)
	}
	if _, err := os.Stat(filepath.Join(disturbed, "example.mpqc", "supernet.safetensors")); err == nil {
		t.Error("an unfinished supernet lies in the workspace")
	}

	c := exec.CommandContext(t.Context(), binary, args...)
	c.Dir = disturbed
	text, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("going on: %v\n%s", err, text)
	}
	if !strings.Contains(string(text), "going on at step ") {
		t.Errorf("training started anew:\n%s", text)
	}
	same(t, filepath.Join(calm, "example.mpqc"), filepath.Join(disturbed, "example.mpqc"))
}

// interrupted starts the binary, sends SIGINT once training is under way, and returns what it wrote to stderr.
func interrupted(t *testing.T, binary, dir string, args []string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, args...)
	c.Dir = dir
	var stdout bytes.Buffer
	stderr := &watched{text: "steps of", seen: make(chan struct{})}
	c.Stdout, c.Stderr = &stdout, stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stderr.seen:
	case <-time.After(time.Minute):
		_ = c.Process.Kill()
		t.Fatal("training did not begin")
	}
	checkpoint := filepath.Join(dir, "example.mpqc", "checkpoint.safetensors")
	for began := time.Now(); ; time.Sleep(time.Millisecond) { // a busy machine may take long for a step
		if _, err := os.Stat(checkpoint); err == nil {
			break
		}
		if time.Since(began) > time.Minute {
			_ = c.Process.Kill()
			t.Fatal("no step was done")
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	err := c.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Fatalf("%v, want exit code %d: %s", err, exitInterrupted, stderr.String())
	}
	// It takes a step and a checkpoint, tenths of a second; the bound is for loaded machines.
	if d := time.Since(sent); d > 10*time.Second {
		t.Errorf("ended %v after the signal", d)
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
