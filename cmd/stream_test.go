package cmd

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/file"
)

// TestInTime: what does not end after a signal is left, unless it is about to save.
func TestInTime(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after time.Duration // the signal, when work ends; 0: never
		saves time.Duration // when it has saved
		in    bool
	}{
		{"ends", 50 * time.Millisecond, 0, true},
		{"goes on", 0, 0, false},
		{"saves and ends", 3 * patience, 3 * patience, true},
		{"saves and goes on", 0, 3 * patience, false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		if tc.saves > 0 {
			time.AfterFunc(tc.saves, file.Saving())
		}
		if tc.after > 0 {
			time.AfterFunc(tc.after, func() { ended <- exit.Interrupted })
		}
		cancel()
		if code, in := inTime(ctx, ended); in != tc.in || in && code != exit.Interrupted {
			t.Errorf("%s: code %d, in time %v", tc.name, code, in)
		}
	}
	ended := make(chan int, 1)
	ended <- exit.Done
	if code, in := inTime(t.Context(), ended); code != exit.Done || !in {
		t.Errorf("without a signal: code %d, in time %v", code, in)
	}
}

// broken is a stream that nobody reads.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestOutput: a result that could not be printed is an error of its own, and no other exit code gives way to it.
func TestOutput(t *testing.T) {
	for code, want := range map[int]int{exit.Done: exit.Failed, exit.Usage: exit.Usage, exit.Mismatch: exit.Mismatch} {
		o := &output{w: broken{}}
		_, _ = o.Write([]byte("x"))
		var stderr strings.Builder
		if got := o.code(code, &stderr); got != want || (got != code) != strings.Contains(stderr.String(), "print the result: broken pipe") {
			t.Errorf("code %d becomes %d, want %d: %s", code, got, want, stderr.String())
		}
	}
	var stdout strings.Builder
	if o := (&output{w: &stdout}); o.code(exit.Done, &stdout) != exit.Done || stdout.Len() > 0 {
		t.Error("a stream that takes everything is an error")
	}
	for _, args := range [][]string{{"mpqc", "--help"}, {"mpqc", "version"}, {"mpqc", "version", "--json"}, {"mpqc", "man"}} {
		var stderr strings.Builder
		if code := Run(args, broken{}, &stderr); code != exit.Failed || !strings.Contains(stderr.String(), "broken pipe") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr.String())
		}
	}
}
