package cmd

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestTwoProcesses: while one process trains in a workspace, another one is refused and told which process to
// wait for.
func TestTwoProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	binary, dir := mpqc(t), t.TempDir()
	data := smallData(t, t.TempDir(), 256, 48)
	c := command(t, binary, dir, append([]string{"compress", "--data", data, "--epochs", "100", "--paths", "2"}, small...))
	w := watch("steps of")
	c.Stderr = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Wait() }()
	defer func() { _ = c.Process.Kill() }()
	select {
	case <-w.seen:
	case <-time.After(time.Minute):
		t.Fatalf("training did not begin: %s", w.String())
	}
	t.Chdir(dir)
	manifest := read(t, "example.mpqc/manifest.json")
	for _, args := range [][]string{{"compress"}, {"import", "example.mpqc/float.onnx", "--workspace", "example.mpqc"}} {
		code, _, stderr := call(t, args...)
		if code != exitFailed || !strings.Contains(stderr, "workspace example.mpqc is in use by another process: process ") ||
			!strings.Contains(stderr, "--workspace") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
	if after, err := os.ReadFile("example.mpqc/manifest.json"); err != nil || string(after) != string(manifest) {
		t.Errorf("the manifest changed: %v", err)
	}
}
