package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/pipeline"
)

// TestKillBetweenTargets kills a search of two targets when the second begins. What was found for the first is there,
// can be used as it is, and is not searched for again.
func TestKillBetweenTargets(t *testing.T) {
	example(t)
	binary := mpqc(t)
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"search", "--target", "5bit", "--target", "3.6bit", "--verbose"}
	second := moment{"search", "search 3.6bit    feasible", "search 3.6bit    done"}
	hit, stderr := killAt(t, command(t, binary, dir, args), second, 0)
	if !hit {
		t.Fatalf("the second search was over before it could be killed: %s", stderr)
	}
	w, err := pipeline.OpenWorkspace("example.mpqc")
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string][]byte{}
	for _, name := range []string{"search/5bit.json", "search/5bit.policy", "out/example-5bit.ort.onnx"} {
		kept[name] = read(t, w.Path(name))
	}
	if code, _, stderr := call(t, "verify", filepath.Join("example.mpqc", "out", "example-5bit.ort.onnx")); code != exitDone {
		t.Errorf("verify what was left: exit code %d: %s", code, stderr)
	}
	text, err := command(t, binary, dir, args).CombinedOutput()
	if err != nil || !strings.Contains(string(text), "search 3.6bit    done") {
		t.Fatalf("going on: %v\n%s", err, text)
	}
	if strings.Contains(string(text), "search 5bit") {
		t.Errorf("the first target was searched again:\n%s", text)
	}
	for name, before := range kept {
		if string(before) != string(read(t, w.Path(name))) {
			t.Errorf("%s changed", name)
		}
	}
}

// TestSearchSeed searches on other pictures, and again on the first ones: scores are those of the pictures.
func TestSearchSeed(t *testing.T) {
	example(t)
	var losses []float64
	for _, seed := range []string{"1", "2", "1"} {
		code, _, stderr := call(t, "search", "--target", "3.6bit", "--search-seed", seed)
		if code != exitDone {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		losses = append(losses, readOutcome(t, "3.6bit").Score.Loss)
	}
	if losses[0] == losses[1] || losses[0] != losses[2] {
		t.Errorf("search losses %v with the pictures of seeds 1, 2 and 1", losses)
	}
}
