package cmd

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// artifacts are the files of a workspace that must not depend on what happened on the way, nor on the number of threads.
var artifacts = []string{
	"float.onnx", "calibration.json", "supernet.safetensors", "training.json", "search/4.0bit.json", "search/4.0bit.policy",
	"search/4.0bit.norms.safetensors", "scores/sensitivity.json", "out/example-4.0bit.ort.onnx",
}

// moment is when to kill: up to so long after a text on stderr.
type moment struct {
	stage, text string
	within      time.Duration
}

var moments = []moment{
	{"import", "import ", 10 * time.Millisecond},
	{"calibrate", "calibrate ", 100 * time.Millisecond},
	{"train", "train ", 1500 * time.Millisecond},
	{"search", "feasible ", 800 * time.Millisecond},
	{"export", "search 4.0bit    done", 20 * time.Millisecond},
	{"verify", "export 4.0bit    done", 200 * time.Millisecond},
}

// kills is how often TestKill kills: once per stage, or as $MPQC_KILLS says.
func kills(t *testing.T) int {
	t.Helper()
	s := os.Getenv("MPQC_KILLS")
	if s == "" {
		return len(moments)
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestKill kills the real binary with SIGKILL in every stage, at random moments, and runs the same command again, until
// it ends by itself: what the workspace holds then is what an undisturbed run leaves, to the byte. It goes through as
// many runs as it takes.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the whole job several times")
	}
	binary := mpqc(t)
	args := append([]string{
		"compress", "--target", "4.0bit", "--data", smallData(t, t.TempDir(), 512, 48), "--verbose", "--checkpoint-every", "20ms",
		"--epochs", "4", "--train-samples", "512", "--batch", "16", "--paths", "2",
	}, small...)
	calm := t.TempDir()
	if text, err := command(t, binary, calm, args).CombinedOutput(); err != nil {
		needRuntime(t, exitFailed, string(text))
		t.Fatalf("undisturbed: %v\n%s", err, text)
	}

	want := kills(t)
	least := max(want/10, 1)
	rng := rand.New(rand.NewPCG(1, 1))
	killed := map[string]int{}
	total, resumed := 0, 0
	short := func() bool { // a random moment may come after the end of a short stage
		return total < want || slices.ContainsFunc(moments, func(m moment) bool { return killed[m.stage] < least })
	}
	for run := 0; short(); run++ {
		if run > want {
			t.Fatalf("killed %v in %d runs, want %d in each stage: stages end before they can be killed", killed, run, least)
		}
		dir := t.TempDir()
		for _, m := range moments {
			hit, stderr := killAt(t, command(t, binary, dir, args), m, time.Duration(rng.Int64N(int64(m.within))))
			if strings.Contains(stderr, "going on at step ") {
				resumed++
			}
			if hit {
				killed[m.stage]++
				total++
			}
		}
		finish(t, binary, calm, dir, args)
	}
	t.Logf("killed %v; training went on from a checkpoint %d times", killed, resumed)
	if want > len(moments) && resumed == 0 {
		t.Error("training never went on from a checkpoint")
	}
}

// command is a run of the binary in a folder.
func command(t *testing.T, binary, dir string, args []string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, args...)
	c.Dir = dir
	return c
}

// killAt runs a command and kills it at a moment. It reports whether that came before the command's end.
func killAt(t *testing.T, c *exec.Cmd, m moment, delay time.Duration) (hit bool, stderr string) {
	t.Helper()
	w := &watched{text: m.text, seen: make(chan struct{})}
	c.Stderr = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case <-w.seen:
	case err := <-done:
		if err != nil {
			t.Fatalf("before %s: %v\n%s", m.stage, err, w.String())
		}
		return false, w.String() // the stage had been done before
	}
	time.Sleep(delay)
	_ = c.Process.Kill() // fails where the process has just ended
	err := <-done
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Exited()) {
		t.Fatalf("in %s: %v\n%s", m.stage, err, w.String())
	}
	return err != nil, w.String()
}

// finish lets the job end, and compares the workspaces.
func finish(t *testing.T, binary, calm, dir string, args []string) {
	t.Helper()
	if text, err := command(t, binary, dir, args).CombinedOutput(); err != nil {
		t.Fatalf("going on: %v\n%s", err, text)
	}
	same(t, filepath.Join(calm, "example.mpqc"), filepath.Join(dir, "example.mpqc"))
}

// same compares the artifacts in two workspaces.
func same(t *testing.T, a, b string) {
	t.Helper()
	for _, name := range artifacts {
		if !bytes.Equal(read(t, filepath.Join(a, name)), read(t, filepath.Join(b, name))) {
			t.Errorf("%s differs", name)
		}
	}
	list := func(dir string) (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if x, y := list(a), list(b); !slices.Equal(x, y) {
		t.Errorf("one workspace holds %v, the other %v", x, y)
	}
}
