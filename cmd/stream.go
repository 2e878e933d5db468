package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/pipeline"
)

// endings are the signals that end a run with what it has saved: Ctrl-C, a request of the system, a terminal that is
// closed. Those that whoever started the program told it to ignore, as nohup does, stay ignored.
func endings() []os.Signal {
	return slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
}

// patience is how long work may go on after a signal that has nothing to save, and the time between two looks at
// whether a training has saved what it has.
const patience = time.Second

// inTime is the exit code of work, or that it goes on for too long after a signal, in a library for example that does
// not look at its context. It can be left there: all files are in full or not at all, and the same command goes on from
// them.
func inTime(ctx context.Context, ended <-chan int) (code int, in bool) {
	select {
	case code = <-ended:
		return code, true
	case <-ctx.Done():
	}
	for {
		select {
		case code = <-ended:
			return code, true
		case <-time.After(patience):
		}
		if !pipeline.Saving() {
			return 0, false
		}
	}
}

// outlive lets writes to a stream that nobody reads any more fail, where they would end the process: a run goes on when
// nobody can watch it. It returns the way back.
func outlive() (end func()) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}

// output is a stream that keeps its first error: a result that did not arrive is no success, however it was printed.
type output struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// code is the exit code of a run whose results went to the stream.
func (o *output) code(code int, stderr io.Writer) int {
	if o.err == nil || code != exit.Done {
		return code
	}
	fmt.Fprintf(stderr, "mpqc: print the result: %v; what the command wrote to files is there\n", o.err)
	return exit.Failed
}
