package progress

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script shows events, the clock moving on by a second before each.
func script(o Options, events ...Event) string {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	o.Clock = func() time.Time { return now }
	r := New(&b, o)
	for _, e := range events {
		now = now.Add(time.Second)
		r.Show(e)
	}
	r.Close()
	return b.String()
}

func run() []Event {
	e := []Event{{Name: "train", Kind: Start, Text: "2 epochs"}}
	for i := range int64(21) {
		e = append(e, Event{Name: "train", Kind: Step, Done: i, Total: 20, Elapsed: time.Duration(i) * time.Second, Text: "loss 0.5"})
	}
	return append(e, Event{Name: "train", Kind: Warning, Text: "slow"}, Event{Name: "train", Kind: Finished, Elapsed: 65 * time.Second, Text: "loss 0.4"})
}

func TestPlain(t *testing.T) {
	want := `train            2 epochs
train             45 %  9/20, 11s left  loss 0.5
train             95 %  19/20, 1.0s left  loss 0.5
train            warning: slow
train            done in 1m05s  loss 0.4
`
	if d := cmp.Diff(want, script(Options{}, run()...)); d != "" {
		t.Error(d)
	}
	if n := strings.Count(script(Options{Verbose: true}, run()...), "\n"); n != 24 {
		t.Errorf("%d lines when verbose", n)
	}
	if got := script(Options{Quiet: true}, run()...); got != "train            warning: slow\n" {
		t.Errorf("quiet: %q", got)
	}
}

// TestResumed: the time left follows from this run's speed, not from work that an earlier one did.
func TestResumed(t *testing.T) {
	e := Event{Name: "train", Kind: Step, Done: 60, From: 50, Total: 100, Elapsed: 20 * time.Second}
	if got, want := numbers(e), " 60 %  60/100, 1m20s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	e.Done = e.From
	if got, want := numbers(e), " 50 %  50/100"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTerminal(t *testing.T) {
	out := script(Options{Width: 80}, run()...)
	for _, want := range []string{
		"train            2 epochs\n",
		"\r\x1b[Ktrain            [===========>              ]  45 %  9/20, 11s left  loss 0.5",
		"\r\x1b[Ktrain            [==========================] 100 %  20/20  loss 0.5",
		"\r\x1b[Ktrain            warning: slow\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %q", want, out)
		}
	}
	for _, width := range []int{1, 20, 40, 60} {
		for part := range strings.SplitSeq(script(Options{Width: width}, run()...), "\r\x1b[K") {
			if first, _, _ := strings.Cut(part, "\n"); !strings.Contains(part, "\n") && len(first) >= width && width > 0 {
				t.Errorf("%q is wider than %d columns", first, width)
			}
		}
	}
}

func TestUnfinishedLineEnds(t *testing.T) {
	out := script(Options{Width: 80}, Event{Name: "eval", Kind: Step, Done: 3})
	if !strings.HasSuffix(out, "3\n") {
		t.Errorf("%q", out)
	}
}

func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0s", 400 * time.Millisecond: "0.4s", 12 * time.Second: "12s", 185 * time.Second: "3m05s", 127 * time.Minute: "2h07m",
	} {
		if got := brief(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestFilesAreNoTerminals(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if r := New(null, Options{}); r.width != 0 {
		t.Errorf("%s is a terminal of %d columns", os.DevNull, r.width)
	}
}

func TestConcurrentUse(t *testing.T) {
	var b bytes.Buffer
	r := New(&b, Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { r.Show(Event{Name: "x", Kind: Message, Text: "y"}) })
	}
	wg.Wait()
	if n := strings.Count(b.String(), "x                y\n"); n != 8 {
		t.Errorf("%d whole lines of 8", n)
	}
}
