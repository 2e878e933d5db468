package fault

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestTwoProcesses: while one process trains in a workspace, another one is refused and told which process to
// wait for.
func TestTwoProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	binary, dir := program.Binary(t), t.TempDir()
	data := sample.SmallData(t, t.TempDir(), 256, 48)
	c := program.Command(t, binary, dir, append([]string{"compress", "--data", data, "--epochs", "100", "--paths", "2"}, program.Small...))
	w := program.Watch("steps of")
	c.Stderr = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Wait() }()
	defer func() { _ = c.Process.Kill() }()
	select {
	case <-w.Seen:
	case <-time.After(time.Minute):
		t.Fatalf("training did not begin: %s", w.String())
	}
	t.Chdir(dir)
	manifest := sample.Read(t, "example.mpqc/manifest.json")
	for _, args := range [][]string{{"compress"}, {"import", "example.mpqc/float.onnx", "--workspace", "example.mpqc"}} {
		code, _, stderr := program.Call(t, args...)
		if code != exit.Failed || !strings.Contains(stderr, "workspace example.mpqc is in use by another process: process ") ||
			!strings.Contains(stderr, "--workspace") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
	if after, err := os.ReadFile("example.mpqc/manifest.json"); err != nil || string(after) != string(manifest) {
		t.Errorf("the manifest changed: %v", err)
	}
}
