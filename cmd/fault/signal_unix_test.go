//go:build unix

package fault

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestSignals: a closed terminal and a request of the system end a training as Ctrl-C does, with a checkpoint from
// which the same command goes on. A command that was started to outlive its terminal does.
func TestSignals(t *testing.T) {
	binary, dir := program.Binary(t), t.TempDir()
	args := append([]string{
		"compress", "--target", "4.0bit", "--data", sample.SmallData(t, t.TempDir(), 256, 48), "--epochs", "200", "--paths", "2", "--verbose",
	}, program.Small...)
	program.Signal(t, binary, dir, args, "steps of", 100*time.Millisecond, syscall.SIGHUP)
	program.Signal(t, binary, dir, args, resumes, 0, syscall.SIGTERM)
	if _, err := os.Stat(filepath.Join(dir, "example.mpqc", "checkpoint.safetensors")); err != nil {
		t.Error(err)
	}
	t.Run("ignored", func(t *testing.T) {
		w := program.Watch(resumes)
		c := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `trap "" HUP; exec "$0" "$@"`, binary}, args...)...)
		c.Dir, c.Stderr = dir, w
		if err := c.Start(); err != nil {
			t.Skip(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		select {
		case <-w.Seen:
		case <-time.After(time.Minute):
			t.Errorf("training did not go on: %s", w.String())
		}
		if err := c.Process.Signal(syscall.SIGHUP); err != nil {
			t.Error(err)
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v: %s", err, w.String())
		case <-time.After(500 * time.Millisecond):
		}
		_ = c.Process.Kill()
		<-ended
	})
}

// TestClosedStreams: progress that nobody reads ends no run. A result that nobody reads is an error, and what was
// written to files stays.
func TestClosedStreams(t *testing.T) {
	binary := program.Binary(t)
	program.Example(t)
	for _, tc := range []struct {
		name, target string
		more         []string
		stderr       bool // it is the stream that is closed, else stdout
		code         int
	}{
		{"stderr", "4.4bit", []string{"--verbose"}, true, exit.Done},
		{"stdout of JSON", "4.6bit", []string{"--json"}, false, exit.Failed},
		{"stdout of a table", "4.8bit", nil, false, exit.Failed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Close()
			c := program.Command(t, binary, ".", append([]string{"search", "--target", tc.target, "--search-samples", "8"}, tc.more...))
			said := program.Watch("mpqc: ")
			if c.Stdout, c.Stderr = io.Writer(w), io.Writer(said); tc.stderr {
				c.Stdout, c.Stderr = said, w
			}
			err = c.Run()
			_ = w.Close()
			var ended *exec.ExitError
			if err != nil && !errors.As(err, &ended) || c.ProcessState.ExitCode() != tc.code {
				t.Errorf("%v, want exit code %d: %s", err, tc.code, said.String())
			}
			if !tc.stderr && !strings.Contains(said.String(), "broken pipe") {
				t.Errorf("the error is not named: %s", said.String())
			}
			for _, name := range []string{"out/example-" + tc.target + ".ort.onnx", "search/" + tc.target + ".json", "report.html"} {
				if _, err := os.Stat(filepath.Join("example.mpqc", filepath.FromSlash(name))); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestIrregularPaths gives pipes, devices, sockets and standard input to everything that reads a file: an error at once
// that says what it is, and nothing is left behind.
func TestIrregularPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	sample.ModelFile(t, "model.onnx", nil)
	sample.PNGFolder(t, "samples", 20, 20)
	for _, f := range []string{"pipe", "pipe.onnx", "pipe.zip", "pipe.npz", "pipe.bin"} {
		if err := syscall.Mkfifo(f, 0o600); err != nil {
			t.Skip(err)
		}
	}
	if err := errors.Join(os.Mkdir("held.mpqc", 0o700), syscall.Mkfifo("held.mpqc/manifest.json", 0o600)); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = l.Close() }()
	least := append([]string{"--bits", "8"}, program.Least...)
	lines := [][]string{
		append([]string{"compress", "model.onnx", "--data", "samples", "--policy", "pipe"}, least...),
		{"import", "model.onnx", "--workspace", "held.mpqc"},
		{"report", "--workspace", "held.mpqc"},
		{"search", "--workspace", "held.mpqc"},
		{"eval", "model.onnx", "--data", "samples", "--holdout", "0.5", "--against", "pipe"},
	}
	for _, path := range []string{"pipe", "pipe.onnx", "/dev/zero", "socket", "-", "/dev/stdin"} {
		lines = append(lines, []string{"import", path}, []string{"doctor", path}, []string{"verify", path}, []string{"eval", path, "--data", "samples"},
			[]string{"compress", path, "--data", "samples"}, []string{"bench", "train", "--model", path})
	}
	for _, path := range []string{"pipe", "pipe.zip", "pipe.npz", "pipe.bin", "/dev/zero", "socket", "-", "/dev/stdin"} {
		lines = append(lines, append([]string{"compress", "model.onnx", "--data", path}, least...), []string{"eval", "model.onnx", "--data", path})
	}
	for _, args := range lines {
		done := make(chan struct{})
		go func() {
			defer close(done)
			code, stdout, stderr := program.Call(t, args...)
			if code != exit.Usage && code != exit.Failed || stdout != "" {
				t.Errorf("%v: exit code %d: %s%s", args, code, stdout, stderr)
			}
			if !strings.Contains(stderr, "not a regular file") && args[0] != "search" {
				t.Errorf("%v: %s", args, stderr)
			}
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatalf("%v hangs", args)
		}
		if made, _ := filepath.Glob("*.mpqc"); len(made) != 1 {
			t.Errorf("%v left %v behind", args, made)
		}
	}
	t.Logf("%d command lines", len(lines))
}
