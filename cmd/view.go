package cmd

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
)

// view renders the events of a run on stderr: one line per stage that is rewritten on a terminal, plain lines
// otherwise.
type view struct {
	w        io.Writer
	quiet    bool
	terminal bool
	every    time.Duration // between two progress lines

	mu   sync.Mutex
	last time.Time
	open bool // an unfinished line stands on the terminal
}

func newView(c *cli.Context) *view {
	v := &view{w: c.App.ErrWriter, quiet: c.Bool("quiet"), every: 10 * time.Second}
	if f, ok := v.w.(*os.File); ok {
		info, err := f.Stat()
		v.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	switch {
	case v.terminal:
		v.every = 100 * time.Millisecond
	case c.Bool("verbose"):
		v.every = time.Second
	}
	return v
}

func (v *view) sink() pipeline.Sink { return v.show }

func (v *view) show(e pipeline.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.quiet && e.Kind != pipeline.EventWarning {
		return
	}
	name := string(e.Stage)
	if e.Subject != "" {
		name += " " + e.Subject
	}
	switch e.Kind {
	case pipeline.EventProgress:
		if time.Since(v.last) < v.every {
			return
		}
		v.last = time.Now()
		v.line(false, fmt.Sprintf("%-16s %s", name, progressText(e)))
	case pipeline.EventDone:
		v.line(true, fmt.Sprintf("%-16s done in %.1f s  %s", name, e.Elapsed.Seconds(), e.Text))
	case pipeline.EventWarning:
		v.line(true, fmt.Sprintf("%-16s warning: %s", name, e.Text))
	case pipeline.EventStart, pipeline.EventMessage:
		if e.Text != "" {
			v.line(true, fmt.Sprintf("%-16s %s", name, e.Text))
		}
		v.last = time.Now()
	}
}

func progressText(e pipeline.Event) string {
	if e.Total <= 0 {
		return fmt.Sprintf("%d  %s", e.Done, e.Text)
	}
	left := ""
	if e.Done > 0 && e.Done < e.Total {
		rest := time.Duration(float64(e.Elapsed) * float64(e.Total-e.Done) / float64(e.Done))
		left = ", " + rest.Round(time.Second).String() + " left"
	}
	return fmt.Sprintf("%3.0f %%  %d/%d%s  %s", 100*float64(e.Done)/float64(e.Total), e.Done, e.Total, left, e.Text)
}

func (v *view) line(finished bool, text string) {
	if v.terminal {
		fmt.Fprint(v.w, "\r\x1b[K"+text)
		v.open = !finished
		if finished {
			fmt.Fprintln(v.w)
		}
		return
	}
	fmt.Fprintln(v.w, text)
}

// close ends an unfinished line.
func (v *view) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open {
		fmt.Fprintln(v.w)
		v.open = false
	}
}
