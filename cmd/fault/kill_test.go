package fault

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// moment is a part of the job: what stderr says when it begins and when it is over.
type moment struct{ stage, begins, ends string }

var moments = []moment{
	{"import", "import           reading", "import           done"},
	{"calibrate", "calibrate        64 samples", "calibrate        done"},
	{"train", " paths per step: ", "train            done"},
	{"round", "round            ", "round            done"},
	{"search", "search 4.0bit    feasible", "search 4.0bit    done"},
	{"export", "export 4.0bit    writing", "export 4.0bit    done"},
	{"after export", "export 4.0bit    done", "verify example-4.0bit.ort.onnx done"},
}

// repeats bounds how often a stage is tried in one workspace.
const repeats = 10

// resumes is what training says in place of its beginning when it goes on.
const resumes = "going on at step "

// kills is how often TestKill kills: once per moment, or as $MPQC_KILLS says.
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

// TestKill kills the real binary with SIGKILL in every stage, at random moments between its beginning and its end, and
// runs the same command again, until it ends by itself: what the workspace holds then is what an undisturbed run
// leaves, to the byte. A kill counts for a stage that had begun and had not ended. It goes through as many jobs as it
// takes.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the whole job several times")
	}
	binary := program.Binary(t)
	args := append([]string{
		"compress", "--target", "4.0bit", "--data", sample.SmallData(t, t.TempDir(), 512, 48), "--verbose", "--checkpoint-every", "20ms",
		"--epochs", "4", "--train-samples", "512", "--batch", "16", "--paths", "2",
	}, program.Small...)
	calm := t.TempDir()
	lengths := undisturbed(t, program.Command(t, binary, calm, args))

	want := kills(t)
	least := max(want/10, 1)
	rng := rand.New(rand.NewPCG(1, 1))
	killed := map[string]int{}
	total, resumed := 0, 0
	short := func() bool {
		return total < want || slices.ContainsFunc(moments, func(m moment) bool { return killed[m.stage] < least })
	}
	for job := 0; short(); job++ {
		if job > 9 {
			t.Fatalf("killed %v in %d jobs, want %d in each stage: stages end before they can be killed", killed, job, least)
		}
		dir := t.TempDir()
		for _, m := range moments {
			for hits, tries := 0, 0; hits < least && tries < repeats; tries++ {
				hit, stderr := killAt(t, program.Command(t, binary, dir, args), m, time.Duration(rng.Float64()*float64(lengths[m.stage])))
				if strings.Contains(stderr, resumes) {
					resumed++
				}
				if hit {
					hits++
					killed[m.stage]++
					total++
					continue
				}
				// The stage was faster, and is done in this workspace. The short ones are cheap to reach anew; export
				// runs always.
				lengths[m.stage] = lengths[m.stage] * 3 / 4
				if m.stage == "import" || m.stage == "calibrate" {
					dir = t.TempDir()
				} else if m.stage != "export" {
					break
				}
			}
		}
		finish(t, binary, calm, dir, args)
	}
	t.Logf("killed %v; training went on from a checkpoint %d times", killed, resumed)
	if want > len(moments) && resumed == 0 {
		t.Error("training never went on from a checkpoint")
	}
}

// undisturbed lets the job end and returns how long its stages took.
func undisturbed(t *testing.T, c *exec.Cmd) map[string]time.Duration {
	t.Helper()
	all := program.Watch(moments[0].begins)
	streams := []io.Writer{all}
	began, ended := make([]*program.Watched, len(moments)), make([]*program.Watched, len(moments))
	for i, m := range moments {
		began[i], ended[i] = program.Watch(m.begins), program.Watch(m.ends)
		streams = append(streams, began[i], ended[i])
	}
	c.Stderr = io.MultiWriter(streams...)
	if err := c.Run(); err != nil {
		program.NeedRuntime(t, exit.Failed, all.String())
		t.Fatalf("undisturbed: %v\n%s", err, all.String())
	}
	lengths := map[string]time.Duration{}
	for i, m := range moments {
		if began[i].At().IsZero() || ended[i].At().IsZero() {
			t.Fatalf("stderr does not say %q and then %q:\n%s", m.begins, m.ends, all.String())
		}
		lengths[m.stage] = ended[i].At().Sub(began[i].At())
	}
	return lengths
}

// killAt runs a command and kills it so long after a stage began. It reports whether the stage was under way then.
func killAt(t *testing.T, c *exec.Cmd, m moment, delay time.Duration) (hit bool, stderr string) {
	t.Helper()
	w := program.Watch(m.begins)
	if m.stage == "train" {
		w.Or = resumes
	}
	c.Stderr = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case <-w.Seen:
	case err := <-done:
		if err != nil {
			t.Fatalf("before %s: %v\n%s", m.stage, err, w.String())
		}
		return false, w.String() // the stage had been done before
	}
	time.Sleep(delay)
	_ = c.Process.Kill() // fails where the process has just ended
	err := <-done
	var ended *exec.ExitError
	if err != nil && (!errors.As(err, &ended) || ended.Exited()) {
		t.Fatalf("in %s: %v\n%s", m.stage, err, w.String())
	}
	// Wait has read all of stderr.
	return err != nil && !strings.Contains(w.String(), m.ends), w.String()
}

// finish lets the job end, and compares the workspaces.
func finish(t *testing.T, binary, calm, dir string, args []string) {
	t.Helper()
	if text, err := program.Command(t, binary, dir, args).CombinedOutput(); err != nil {
		t.Fatalf("going on: %v\n%s", err, text)
	}
	program.Same(t, filepath.Join(calm, "example.mpqc"), filepath.Join(dir, "example.mpqc"))
}
