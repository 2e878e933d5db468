package program

import (
	"bytes"
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
)

// interruptTime is how long the program may work on after a signal, by its contract; busy is how much slower a machine
// may be that does other work beside the tests.
const (
	interruptTime = 2 * time.Second
	busy          = 6
)

// Interrupt starts the binary, sends SIGINT some time after a text has come on stderr, and returns what it wrote there.
func Interrupt(t *testing.T, binary, dir string, args []string, text string, after time.Duration) string {
	t.Helper()
	return Signal(t, binary, dir, args, text, after, syscall.SIGINT)
}

// Signal is Interrupt by any signal that ends a run.
func Signal(t *testing.T, binary, dir string, args []string, text string, after time.Duration, signal syscall.Signal) string {
	t.Helper()
	c := Command(t, binary, dir, args)
	var stdout bytes.Buffer
	stderr := Watch(text)
	c.Stdout, c.Stderr = &stdout, stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stderr.Seen:
	case <-time.After(time.Minute):
		_ = c.Process.Kill()
		_ = c.Wait()
		NeedRuntime(t, exit.Failed, stderr.String())
		t.Fatalf("%q did not come: %s", text, stderr.String())
	}
	time.Sleep(after)
	if err := c.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	err := c.Wait()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != exit.Interrupted {
		t.Fatalf("%v, want exit code %d: %s", err, exit.Interrupted, stderr.String())
	}
	if d := time.Since(sent); d > busy*interruptTime {
		t.Errorf("ended %v after the signal, %q having come", d, text)
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout holds %s", stdout.String())
	}
	return stderr.String()
}
