package cmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFront: a training draws its paths near policies from narrow to wide, which lie in the workspace; other samplings and
// single widths have none.
func TestFront(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	data := smallData(t, t.TempDir(), 128, 64)
	train := func(args ...string) (file string) {
		t.Chdir(t.TempDir())
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		succeed(t, slices.Concat([]string{"compress", "--data", data, "--epochs", "0.5", "--batch", "32", "--paths", "2"}, small, args)...)
		return filepath.Join(dir, "example.mpqc", "front.json")
	}
	type policy struct{ W, A []int }
	front := decode[struct{ Front []policy }](t, read(t, train("--target", "4.0bit"))).Front
	mean := func(p policy) (sum float64) {
		for _, b := range slices.Concat(p.W, p.A) {
			sum += float64(b)
		}
		return sum / float64(len(p.W)+len(p.A))
	}
	// The narrowest policy, four budgets between each two of three widths, and the three widths for weights alone.
	if len(front) != 12 || mean(front[0]) > mean(front[8])-1 || slices.Min(front[9].A) != 8 {
		t.Errorf("front %v", front)
	}
	for _, args := range [][]string{{"--sampling", "tilted", "--target", "4.0bit"}, {"--bits", "4"}} {
		if _, err := os.Stat(train(args...)); err == nil {
			t.Errorf("%v: there is a front", args)
		}
	}
}

// TestTimeIsOver: a time limit that is over before the first step is said, and one step is trained.
func TestTimeIsOver(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	data := smallData(t, t.TempDir(), 64, 32)
	t.Chdir(t.TempDir())
	_, stderr := succeed(t, append([]string{"compress", "--data", data, "--time", "1ms", "--batch", "16", "--target", "4.0bit"}, small...)...)
	for _, text := range []string{"all of --time 1ms", "1 steps of 16 pictures"} {
		if !strings.Contains(stderr, text) {
			t.Errorf("%q is not said: %s", text, stderr)
		}
	}
}
