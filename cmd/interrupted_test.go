package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
)

// TestInterruptedMessage: an error on the way out is shown, and nothing is promised that it contradicts.
func TestInterruptedMessage(t *testing.T) {
	full := errors.New("no space left on device")
	for _, tc := range []struct {
		name string
		err  error
		kept bool
	}{
		{"interrupt alone", context.Canceled, true},
		{"wrapped", fmt.Errorf("train: stopped after step 3: %w", context.Canceled), true},
		{"several", errors.Join(context.Canceled, fmt.Errorf("lane: %w", context.Canceled)), true},
		{"checkpoint failed", fmt.Errorf("train: stopped after step 3 without a checkpoint: %w", full), false},
		{"both", errors.Join(context.Canceled, full), false},
		{"wrapped twice", fmt.Errorf("%w: %w", context.Canceled, full), false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stderr strings.Builder
		code := exitCode(ctx, tc.err)
		message(&stderr, tc.err, code, []string{"mpqc", "compress"})
		text := stderr.String()
		if code != exit.Interrupted || !strings.Contains(text, "run the same command again:\n  mpqc compress\n") {
			t.Errorf("%s: exit code %d: %s", tc.name, code, text)
		}
		if strings.Contains(text, "checkpoints are kept") != tc.kept || strings.Contains(text, full.Error()) == tc.kept {
			t.Errorf("%s: %s", tc.name, text)
		}
	}
}

// TestInterrupted: a command that was interrupted before it began says how to go on.
func TestInterrupted(t *testing.T) {
	program.Example(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err strings.Builder
	code := run(ctx, []string{"mpqc", "compress", "--target", "3.6bit"}, &out, &err)
	if code != exit.Interrupted || !strings.Contains(err.String(), "run the same command again:\n  mpqc compress --target 3.6bit\n") {
		t.Errorf("exit code %d: %s", code, err.String())
	}
}
