package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
)

// looped brings the batches of the trace over and over, and ends a context after some of them.
type looped struct {
	replay *replay
	after  int // steps until cancel; 0: never
	cancel context.CancelFunc
}

func (l *looped) Batch(_ context.Context, step int) (Batch, error) {
	if l.after > 0 && step+1 == l.after {
		l.cancel()
	}
	return l.replay.batch(step % 3), nil
}

// newRun is a trainer of the trace's network with everything turned on.
func newRun(t *testing.T, threads int) (*replay, *Trainer) {
	t.Helper()
	return runOf(t, threads, 30)
}

func runOf(t *testing.T, threads, steps int) (*replay, *Trainer) {
	t.Helper()
	r := newReplay(t)
	r.net.Round(true)
	pool := par.New(threads)
	t.Cleanup(pool.Close)
	o := Defaults()
	o.Batch, o.Steps = 6, steps
	tr, err := New(r.net, o, pool)
	if err != nil {
		t.Fatal(err)
	}
	return r, tr
}

// TestResume: a run that is interrupted and continued by another trainer ends in the same bytes as one that is not, at
// any number of threads.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	whole, parts := filepath.Join(dir, "whole"), filepath.Join(dir, "parts")
	r, tr := newRun(t, 1)
	reported := 0
	progress := func(p Progress) {
		reported++
		if p.Step != reported || len(p.Losses) != 4 {
			t.Errorf("progress %+v after %d", p, reported)
		}
	}
	if err := tr.Run(t.Context(), &looped{replay: r}, RunOptions{Checkpoint: whole, Progress: progress}); err != nil {
		t.Fatal(err)
	}
	for _, after := range []int{7, 19, 0} {
		ctx, cancel := context.WithCancel(t.Context())
		r, tr := newRun(t, 3)
		if after != 7 {
			if err := tr.Resume(parts); err != nil {
				t.Fatal(err)
			}
		}
		err := tr.Run(ctx, &looped{r, after, cancel}, RunOptions{Checkpoint: parts})
		if after > 0 && !errors.Is(err, context.Canceled) || after == 0 && err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	a, errA := os.ReadFile(whole)
	b, errB := os.ReadFile(parts)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("the interrupted run ended elsewhere")
	}
}

// ending is a context that ends after its error was asked for some times.
type ending struct {
	context.Context
	left int
}

func (e *ending) Err() error {
	if e.left--; e.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestStepGivesUp: a step that ends in the middle leaves the trainer as it was.
func TestStepGivesUp(t *testing.T) {
	r, tr := newRun(t, 2)
	dir := t.TempDir()
	saved := func(name string) []byte {
		path := filepath.Join(dir, name)
		if err := tr.Save(path); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if _, err := tr.Step(t.Context(), r.batch(0), tr.Paths(0)); err != nil {
		t.Fatal(err)
	}
	before := saved("before")
	given := 0
	for left := 0; ; left += 7 {
		_, err := tr.Step(&ending{t.Context(), left}, r.batch(1), tr.Paths(1))
		if err == nil {
			break
		}
		given++
		if !errors.Is(err, context.Canceled) || !bytes.Equal(saved("after"), before) {
			t.Fatalf("given up after %d questions: error %v, or another state", left, err)
		}
	}
	if given < 5 {
		t.Errorf("the step asked its context too seldom: given up %d times", given)
	}
}

func TestResumeRejects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	_, tr := newRun(t, 1)
	if err := tr.Save(path); err != nil {
		t.Fatal(err)
	}
	tr.opts.Rate *= 2
	if err := tr.Resume(path); err == nil || !strings.Contains(err.Error(), "other options") {
		t.Errorf("error %v", err)
	}
	if err := tr.allowed([][]int{{2}}); err == nil {
		t.Error("too few layers were accepted")
	}
}

// TestDamagedCheckpoint: a checkpoint that is damaged is told from one of other options, and the one before leads to
// the same end.
func TestDamagedCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	r, tr := newRun(t, 1)
	steps := func(tr *Trainer, n int) {
		t.Helper()
		src := &looped{replay: r}
		for range n {
			b, err := src.Batch(t.Context(), tr.Done())
			if err == nil {
				_, err = tr.Step(t.Context(), b, tr.Paths(tr.Done()))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		steps(tr, 2)
		if err := tr.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 9, len(whole) / 3, len(whole) - 1} {
		bad := bytes.Clone(whole)
		bad[at] ^= 0x10
		for _, content := range [][]byte{bad, whole[:at]} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, again := newRun(t, 1)
			if err := again.Resume(path); !errors.Is(err, ErrDamaged) {
				t.Errorf("byte %d: %v", at, err)
			}
		}
	}
	_, again := newRun(t, 1)
	if err := again.Resume(Before(path)); err != nil || again.Done() != 2 {
		t.Fatalf("at step %d: %v", again.Done(), err)
	}
	steps(again, 2)
	if err := again.Save(path); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, whole) {
		t.Errorf("it ended elsewhere: %v", err)
	}
}

func TestPathsAreAFunctionOfSeedAndStep(t *testing.T) {
	_, tr := newRun(t, 1)
	same := func(a, b int) bool {
		x, y := tr.Paths(a), tr.Paths(b)
		for k := range x {
			if !slices.Equal(x[k].W, y[k].W) || !slices.Equal(x[k].A, y[k].A) {
				return false
			}
		}
		return true
	}
	if !same(5, 5) || same(5, 6) {
		t.Error("paths do not follow the step")
	}
	seen := map[int]bool{}
	for step := range 50 {
		for k, q := range tr.Paths(step) {
			if err := tr.net.Plan.Validate(q); err != nil {
				t.Fatal(err)
			}
			if k > 0 {
				seen[q.W[1]] = true
			}
		}
	}
	if len(seen) != 5 {
		t.Errorf("widths drawn for one layer: %v", seen)
	}
}

// TestUnlabelled trains towards given outputs: those of the network itself leave no task loss on the widest path.
func TestUnlabelled(t *testing.T) {
	r, tr := newRun(t, 1)
	tr.opts.Unlabelled = true
	b := r.batch(0)
	b.Labels = nil
	if _, err := tr.Step(t.Context(), b, tr.Paths(0)); err == nil {
		t.Error("a batch without outputs to learn was accepted")
	}
	if err := tr.feed(b); err != nil {
		t.Fatal(err)
	}
	if err := tr.net.Select(tr.net.Plan.Max()); err != nil {
		t.Fatal(err)
	}
	if err := tr.exec.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Teacher = [][]float32{slices.Clone(tr.exec.Output(0).Data)}
	losses, err := tr.Step(t.Context(), b, tr.Paths(0))
	if err != nil {
		t.Fatal(err)
	}
	if losses[0].Task > 1e-9 || losses[1].Task <= 0 || math.Abs(losses[1].Task-losses[1].Teacher) > 1e-9 {
		t.Errorf("losses %+v", losses[:2])
	}
}

// TestGuidance: the task loss is the stated mixture of labels and outputs of the float model, and so is its gradient.
func TestGuidance(t *testing.T) {
	r, tr := newRun(t, 1)
	b := r.batch(0)
	if err := tr.feed(b); err != nil {
		t.Fatal(err)
	}
	if err := tr.exec.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := tr.exec.Output(0)
	b.Teacher = [][]float32{make([]float32, len(out.Data))} // a teacher that knows nothing
	run := func(guidance float32, unlabelled bool) (float64, []float32) {
		tr.opts.Guidance, tr.opts.Unlabelled = guidance, unlabelled
		l, err := tr.losses(b, nil)
		if err != nil {
			t.Fatal(err)
		}
		return l.Total, slices.Clone(tr.exec.OutputGrad(0).Data)
	}
	labels, gl := run(0, false)
	guide, gg := run(0, true)
	mixed, gm := run(0.25, false)
	if want := 0.75*labels + 0.25*guide; math.Abs(mixed-want) > 1e-6 || math.Abs(labels-guide) < 1e-3 {
		t.Errorf("loss %g of labels %g and teacher %g, want %g", mixed, labels, guide, want)
	}
	for i := range gm {
		if want := 0.75*gl[i] + 0.25*gg[i]; math.Abs(float64(gm[i]-want)) > 1e-6 {
			t.Errorf("gradient %d: %g, want %g", i, gm[i], want)
		}
	}
	b.Teacher = nil
	if _, err := tr.losses(b, nil); err == nil {
		t.Error("a batch without outputs of the float model was accepted")
	}
}

func TestFloors(t *testing.T) {
	_, tr := newRun(t, 1)
	g := tr.net.Params()[0]
	for _, p := range tr.net.Params() {
		if strings.HasSuffix(p.Name, ".8_8.gamma") {
			g = p
		}
	}
	start := g.Data[0]
	g.Data[0], g.Used = -1, true
	tr.clamp()
	if want := start * tr.opts.Floor; g.Data[0] != want {
		t.Errorf("gamma %g, want %g", g.Data[0], want)
	}
}

func TestRates(t *testing.T) {
	o := Options{Steps: 100, Rate: 0.1, FinalRate: 0.001, WarmUp: 0.1, StepRate: 1}
	first, adam := o.rates(0)
	top, _ := o.rates(10)
	last, _ := o.rates(99)
	if first > 0.01 || math.Abs(float64(top)-0.1) > 1e-3 || last > 0.0011 || last < 0.001 || math.Abs(float64(adam-10*first)) > 1e-6 {
		t.Errorf("rates %g, %g, %g; Adam %g", first, top, last, adam)
	}
	o.Rate = 1e-4 // below the final rate
	top, adam = o.rates(10)
	end, low := o.rates(99)
	if math.Abs(float64(top)-1e-4) > 1e-9 || end != top || low != adam {
		t.Errorf("rates %g and %g, Adam %g and %g", top, end, adam, low)
	}
}

func TestStepRate(t *testing.T) {
	for steps, want := range map[int]float64{5000: 1e-3, 20000: 1e-3, 1250: 5e-4, 50: 1e-4} {
		if got := StepRate(steps); math.Abs(got-want) > 1e-12 {
			t.Errorf("rate %g for %d steps, want %g", got, steps, want)
		}
	}
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		steps, batch int
		frozen       bool
		want         float64
	}{{5000, 64, false, 0.01}, {20000, 64, false, 0.01}, {1250, 64, false, 0.005}, {1250, 32, false, 0.0025}, {1250, 32, true, 0.00125}, {50, 64, true, 0.001}} {
		if got := Rate(c.steps, c.batch, c.frozen); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("rate %g for %d steps of %d, want %g", got, c.steps, c.batch, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	bad := Defaults()
	bad.Batch, bad.Rate, bad.Average = 0, math.NaN(), 1
	err := bad.Validate()
	for _, want := range []string{"batch 0", "rate NaN", "average 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}
