package cmd

import (
	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/internal/legible"
	"github.com/mpqc/mpqc/internal/progress"
	"github.com/mpqc/mpqc/pipeline/event"
)

// view shows the events of a run on stderr.
type view struct{ r *progress.Renderer }

func newView(c *cli.Context) view {
	return view{progress.New(legible.Raw(c.App.ErrWriter), progress.Options{Quiet: c.Bool("quiet"), Verbose: c.Bool("verbose")})}
}

// sink hands the events of the pipeline to the renderer. Kinds convert by number: internal/progress keeps their order.
func (v view) sink() event.Sink {
	return func(e event.Event) {
		name := string(e.Stage)
		if e.Subject != "" {
			name += " " + e.Subject
		}
		v.r.Show(progress.Event{
			Name: name, Kind: progress.Kind(e.Kind), Text: e.Text, Done: e.Done, Total: e.Total, From: e.From, Elapsed: e.Elapsed,
		})
	}
}

// close ends an unfinished line.
func (v view) close() { v.r.Close() }
