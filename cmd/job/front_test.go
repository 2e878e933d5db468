package job

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestFront: a training draws its paths near policies from narrow to wide, which lie in the workspace; other samplings
// and single widths have none.
func TestFront(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	data := sample.SmallData(t, t.TempDir(), 128, 64)
	train := func(args ...string) (file string) {
		t.Chdir(t.TempDir())
		program.Succeed(t, slices.Concat([]string{"compress", "--data", data, "--epochs", "0.5", "--batch", "32", "--paths", "2"}, program.Small, args)...)
		return filepath.Join("example.mpqc", "front.json")
	}
	type policy struct{ W, A []int }
	file := train("--target", "4.0bit")
	front := program.Decode[struct{ Front []policy }](t, sample.Read(t, file)).Front
	mean := func(p policy) (sum float64) {
		for _, b := range slices.Concat(p.W, p.A) {
			sum += float64(b)
		}
		return sum / float64(len(p.W)+len(p.A))
	}
	last := front[len(front)-1]
	alone := slices.ContainsFunc(front, func(p policy) bool { return slices.Min(p.W) == 3 && slices.Min(p.A) == 8 })
	// The narrowest policy, four budgets between each two of three widths, the three widths for weights alone, each
	// policy once.
	if len(front) < 8 || len(front) > 12 || mean(last) != 8 || mean(front[0]) > mean(last)-1 || !alone {
		t.Errorf("front %v", front)
	}
	resumed(t, file)
	for _, args := range [][]string{{"--sampling", "tilted", "--target", "4.0bit"}, {"--bits", "4"}} {
		if _, err := os.Stat(train(args...)); err == nil {
			t.Errorf("%v: there is a front", args)
		}
	}
}

// resumed takes half of what was measured out of a front, and checks that training anew makes the same of the rest.
func resumed(t *testing.T, file string) {
	t.Helper()
	whole := sample.Read(t, file)
	doc := program.Decode[map[string]any](t, whole)
	delete(doc, "front")
	w := doc["sensitivity"].(map[string]any)["w"].([]any)
	for i := range w[len(w)/2:] {
		w[i] = map[string]any{}
	}
	part, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, part, 0o600); err != nil {
		t.Fatal(err)
	}
	program.Succeed(t, "compress", "--retrain", "--target", "4.0bit")
	if !bytes.Equal(sample.Read(t, file), whole) {
		t.Error("a front that was half measured ends as another one")
	}
}

// TestTimeIsOver: a time limit that is over before the first step is said, and one step is trained.
func TestTimeIsOver(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	data := sample.SmallData(t, t.TempDir(), 64, 32)
	t.Chdir(t.TempDir())
	_, stderr := program.Succeed(t, append([]string{"compress", "--data", data, "--time", "1ms", "--batch", "16", "--target", "4.0bit"}, program.Small...)...)
	for _, text := range []string{"all of --time 1ms", "1 steps of 16 samples"} {
		if !strings.Contains(stderr, text) {
			t.Errorf("%q is not said: %s", text, stderr)
		}
	}
}
