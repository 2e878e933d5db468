package cmd

import (
	"os"
	"strings"
	"testing"
)

// TestNoTemporaries: a folder for temporary files that is missing or full ends no run; what a run writes, it writes to its
// workspace.
func TestNoTemporaries(t *testing.T) {
	binary, dir := mpqc(t), t.TempDir()
	args := append([]string{"compress", "--target", "4.0bit", "--epochs", "0", "--data", smallData(t, t.TempDir(), 128, 32)}, small...)
	c := command(t, binary, dir, args)
	c.Env = append(os.Environ(), "TMPDIR=/nonexistent")
	text, err := c.CombinedOutput()
	needRuntime(t, exitFailed, string(text))
	if err != nil || !strings.Contains(string(text), " operators on 8-bit integers, ") {
		t.Errorf("%v: %s", err, text)
	}
}
