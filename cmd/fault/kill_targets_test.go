package fault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// TestKillBetweenTargets kills a search of two targets when the second begins. What was found for the first is there,
// can be used as it is, and is not searched for again.
func TestKillBetweenTargets(t *testing.T) {
	binary := program.Binary(t)
	args := []string{"search", "--target", "5bit", "--target", "3.6bit", "--verbose"}
	second := moment{"search", "search 3.6bit    feasible", "search 3.6bit    done"}
	var dir string
	for tries, hit := 0, false; !hit; tries++ {
		if tries == repeats {
			t.Fatal("the second search was always over before it could be killed")
		}
		program.Example(t)
		var err error
		if dir, err = os.Getwd(); err != nil {
			t.Fatal(err)
		}
		hit, _ = killAt(t, program.Command(t, binary, dir, args), second, 0)
	}
	w, err := workspace.Open("example.mpqc")
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string][]byte{}
	for _, name := range []string{"search/5bit.json", "search/5bit.policy", "out/example-5bit.ort.onnx"} {
		kept[name] = sample.Read(t, w.Path(name))
	}
	if code, _, stderr := program.Call(t, "verify", filepath.Join("example.mpqc", "out", "example-5bit.ort.onnx")); code != exit.Done {
		t.Errorf("verify what was left: exit code %d: %s", code, stderr)
	}
	text, err := program.Command(t, binary, dir, args).CombinedOutput()
	if err != nil || !strings.Contains(string(text), "search 3.6bit    done") {
		t.Fatalf("going on: %v\n%s", err, text)
	}
	if strings.Contains(string(text), "search 5bit") {
		t.Errorf("the first target was searched again:\n%s", text)
	}
	for name, before := range kept {
		if string(before) != string(sample.Read(t, w.Path(name))) {
			t.Errorf("%s changed", name)
		}
	}
}
