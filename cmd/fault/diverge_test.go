package fault

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestDivergence: a rate that is far too high ends the training some updates after its first checkpoint. The message
// names the layer, the update and what the last checkpoint holds.
func TestDivergence(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	data := sample.SmallData(t, t.TempDir(), 256, 48)
	t.Chdir(t.TempDir())
	code, stdout, stderr := program.Call(t, append([]string{
		"compress", "--target", "4.0bit", "--data", data, "--lr", "1e8", "--checkpoint-every", "1ns",
		"--epochs", "4", "--batch", "16", "--paths", "2", "--json",
	}, program.Small...)...)
	program.NeedRuntime(t, code, stderr)
	if code != exit.Failed || stdout != "" {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	m := regexp.MustCompile(`diverged after (\d+) updates: (?:parameter|the output of node) "[^"]+" holds NaN or infinite numbers; ` +
		`example\.mpqc/checkpoint\.safetensors holds the state after (\d+) updates; a lower --lr`).FindStringSubmatch(stderr)
	if m == nil {
		t.Fatalf("message: %s", stderr)
	}
	step, errStep := strconv.Atoi(m[1])
	kept, errKept := strconv.Atoi(m[2])
	if errStep != nil || errKept != nil || step < 1 || kept < 1 || kept > step {
		t.Errorf("diverged after %s updates, the checkpoint holds %s", m[1], m[2])
	}
}
