package job

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// smallCases are those of the shared small networks that hold. The others there, of segments, several inputs and
// operators that nothing quantizes yet, belong to later work.
var smallCases = []string{
	"softmax-opset8", "softmax-opset12", "pad-value", "pad-axes", "pad-inf-maxpool", "matmul-3d-weights", "layout-nhwc", "tiny-weights",
	"tiny-weights-subnormal", "empty-initializer", "constant-output", "saturating-8bit",
}

// TestSmallCases runs networks of a few kilobytes, of kinds that users brought, through the program, and holds the
// files that it writes against the float models in an onnxruntime of their own: doctor says what compress does, and
// every output is near.
func TestSmallCases(t *testing.T) {
	python := testkit.Python(t)
	folder := testkit.Shared(t, "cases")
	known := program.Decode[map[string]json.RawMessage](t, sample.Read(t, filepath.Join(folder, "cases.json")))
	for _, name := range smallCases {
		t.Run(name, func(t *testing.T) {
			if known[name] == nil {
				t.Fatalf("%s has no case of this name", filepath.Join(folder, "cases.json"))
			}
			c := exec.CommandContext(t.Context(), python, filepath.Join(folder, "check.py"), folder, name)
			c.Dir = t.TempDir()
			c.Env = append(os.Environ(), "MPQC="+program.Binary(t))
			text, err := c.CombinedOutput()
			lines := strings.Split(string(text), "\n")
			if err != nil || !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "ok   "+name+": ") }) {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
}
