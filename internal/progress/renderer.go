package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mpqc/mpqc/internal/legible"
)

// Times between two progress lines. A log should stay readable after hours; on a terminal ten frames a second suffice.
const (
	everyTerminal = 100 * time.Millisecond
	everyVerbose  = time.Second
	everyPlain    = 10 * time.Second
)

// nameWidth is the column width of the stage's name.
const nameWidth = 16

// A bar takes a third of the terminal, within these bounds. On narrower terminals numbers alone are clearer.
const (
	minBar = 15
	maxBar = 30
)

// Options of a Renderer.
type Options struct {
	Quiet   bool // warnings only
	Verbose bool // plain progress lines every second instead of every ten
	// Width forces a terminal with so many columns. 0 asks the stream; a stream that is no terminal gets plain lines.
	Width int
	Clock func() time.Time // nil: time.Now
}

// Renderer writes events to a stream. It is safe for concurrent use.
type Renderer struct {
	w io.Writer
	o Options

	mu    sync.Mutex
	width int       // columns of the terminal, 0 for none
	drawn bool      // an unfinished line stands on the terminal
	last  time.Time // of the last progress line
	name  string    // of the stage whose line is drawn
}

// New makes a renderer for w, as a rule the standard error stream.
func New(w io.Writer, o Options) *Renderer {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	r := &Renderer{w: w, o: o, width: o.Width}
	if f, ok := w.(*os.File); ok && o.Width == 0 && os.Getenv("TERM") != "dumb" {
		r.width = columns(f)
	}
	return r
}

// Show renders one event. Errors of the stream are ignored.
func (r *Renderer) Show(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Name, e.Text = legible.Line(e.Name), legible.Text(e.Text)
	if r.o.Quiet && e.Kind != Warning {
		return
	}
	switch e.Kind {
	case Start:
		r.last, r.name = time.Time{}, e.Name
		if r.width == 0 {
			r.last = r.o.Clock() // the first plain line comes after a while, short stages need none
		}
		if e.Text != "" {
			r.line(e.Name, e.Text)
		}
	case Step:
		r.step(e)
	case Message:
		if e.Text != "" {
			r.line(e.Name, e.Text)
		}
	case Warning:
		r.line(e.Name, "warning: "+e.Text)
	case Finished:
		r.line(e.Name, strings.TrimRight(fmt.Sprintf("done in %s  %s", brief(e.Elapsed), e.Text), " "))
	}
}

// Close ends an unfinished line.
func (r *Renderer) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drawn {
		r.write("\n")
		r.drawn = false
	}
}

// step draws the bar or, at intervals, a plain line.
func (r *Renderer) step(e Event) {
	every := everyPlain
	switch {
	case r.width > 0:
		every = everyTerminal
	case r.o.Verbose:
		every = everyVerbose
	}
	now := r.o.Clock()
	// On a terminal another stage's bar shows at once.
	if now.Sub(r.last) < every && (r.width == 0 || e.Name == r.name) {
		return
	}
	r.last, r.name = now, e.Name
	e.Text = legible.Line(e.Text)
	if r.width == 0 {
		r.line(e.Name, numbers(e))
		return
	}
	text := pad(e.Name) + numbers(e)
	if places := min(r.width/3, maxBar); e.Total > 0 && places >= minBar {
		text = pad(e.Name) + bar(e, places) + " " + numbers(e)
	}
	r.write("\r\x1b[K" + cut(text, r.width-1))
	r.drawn = true
}

// line writes a line to stay, in place of an unfinished one.
func (r *Renderer) line(name, text string) {
	if r.drawn {
		r.write("\r\x1b[K")
		r.drawn = false
	}
	r.write(pad(name) + text + "\n")
}

// write ignores errors: a run continues if nobody can watch it.
func (r *Renderer) write(s string) { _, _ = io.WriteString(r.w, s) }

// pad pads a stage's name to nameWidth.
func pad(name string) string { return fmt.Sprintf("%-*s ", nameWidth, name) }

// bar is "[=====>    ]" with n places inside.
func bar(e Event, n int) string {
	full := int(min(max(e.Done, 0), e.Total) * int64(n) / e.Total)
	head := ""
	if full < n {
		head = ">"
	}
	return "[" + strings.Repeat("=", full) + head + strings.Repeat(" ", n-full-len(head)) + "]"
}

// numbers is " 45 %  9/20, 11s left  text".
func numbers(e Event) string {
	if e.Total <= 0 {
		return strings.TrimRight(fmt.Sprintf("%d  %s", e.Done, e.Text), " ")
	}
	left := ""
	if e.Done > e.From && e.Done < e.Total {
		left = ", " + brief(time.Duration(float64(e.Elapsed)*float64(e.Total-e.Done)/float64(e.Done-e.From))) + " left"
	}
	percent := 100 * min(e.Done, e.Total) / e.Total // rounded down: 100 % means done
	return strings.TrimRight(fmt.Sprintf("%3d %%  %d/%d%s  %s", percent, e.Done, e.Total, left, e.Text), " ")
}

// brief formats a duration: 0.4s, 12s, 3m05s, 2h07m.
func brief(d time.Duration) string {
	switch s := int(d.Seconds() + 0.5); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	default:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
}

// cut shortens text to n characters, so that a redrawn line never wraps.
func cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:max(n, 0)])
	}
	return text
}
