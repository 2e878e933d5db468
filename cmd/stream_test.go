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

// TestInsist: what does not end after a signal is ended, unless it has come to its end or is about to save.
func TestInsist(t *testing.T) {
	for _, tc := range []struct {
		name         string
		returns      bool // in time
		saves, ended bool
	}{
		{"returns", true, false, false},
		{"goes on", false, false, true},
		{"saves and goes on", false, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			done, ended := make(chan struct{}), make(chan struct{})
			var saved func()
			if tc.saves {
				saved = file.Saving()
			}
			go insist(ctx, done, func() { close(ended) })
			select {
			case <-ended:
				t.Fatal("it was ended before any signal")
			case <-time.After(50 * time.Millisecond):
			}
			cancel()
			if tc.returns {
				close(done)
			}
			if tc.saves {
				select {
				case <-ended:
					t.Fatal("it was ended before it had saved")
				case <-time.After(2 * patience):
				}
				saved()
			}
			select {
			case <-ended:
				if !tc.ended {
					t.Error("it was ended")
				}
			case <-time.After(map[bool]time.Duration{true: 20, false: 2}[tc.ended] * patience):
				if tc.ended {
					t.Error("it goes on")
				}
			}
		})
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
