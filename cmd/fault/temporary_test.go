package fault

import (
	"os"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestNoTemporaries: a folder for temporary files that is missing or full ends no run; what a run writes, it writes to
// its workspace.
func TestNoTemporaries(t *testing.T) {
	binary, dir := program.Binary(t), t.TempDir()
	args := append([]string{"compress", "--target", "4.0bit", "--epochs", "0", "--data", sample.SmallData(t, t.TempDir(), 128, 32)}, program.Small...)
	c := program.Command(t, binary, dir, args)
	c.Env = append(os.Environ(), "TMPDIR=/nonexistent")
	text, err := c.CombinedOutput()
	program.NeedRuntime(t, exit.Failed, string(text))
	if err != nil || !strings.Contains(string(text), " operators on 8-bit integers, ") {
		t.Errorf("%v: %s", err, text)
	}
}
