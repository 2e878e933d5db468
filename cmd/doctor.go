package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/internal/legible"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/doctor"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "tell what compress would do with a model and what would fail; changes nothing",
		ArgsUsage: "MODEL.onnx",
		Description: "Examines the file, the plan, the runtime and a few training steps on noise. Names every problem and its fix.\n" +
			"Exit code 1 means that compress would stop.",
		Flags: commonFlags(slices.Concat(candidateFlags(), dataFlags(), []cli.Flag{
			&cli.StringFlag{Name: "profile", Usage: "`NAME` of the profile to export. Default ort"},
		})...),
		Action: runDoctor,
	}
}

func runDoctor(c *cli.Context) error {
	model, err := oneArgument(c, "model", true)
	if err != nil {
		return err
	}
	var o pipeline.Options
	if err := bind(c, &o, "profile"); err != nil {
		return err
	}
	o.Model = model
	if p := c.String("profile"); p != "" {
		o.Profiles = []string{p}
	}
	view := newView(c)
	defer view.close()
	o.Events = view.sink()
	r, err := doctor.Examine(c.Context, o)
	view.close()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = writeJSON(c.App.Writer, r)
	} else {
		err = doctorText(c.App.Writer, r)
	}
	if err == nil && r.Stops() {
		return fmt.Errorf("compress would stop at %s", model)
	}
	return err
}

// doctorText prints what was found, the command to run last.
func doctorText(w io.Writer, r *doctor.Result) error {
	if len(r.Layers) > 0 {
		if err := layerTable(w, r.Layers, r.Groups); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	for _, g := range r.Groups {
		if len(g.Layers) > 1 {
			fmt.Fprintf(w, "group: %s read tensor %s and share one activation width\n", legible.Line(strings.Join(g.Layers, ", ")), legible.Line(g.Tensor))
		}
	}
	for _, x := range r.External {
		fmt.Fprintf(w, "external data: %s, %d tensors, %s\n", legible.Line(x.Path), x.Tensors, bytesText(x.Bytes))
	}
	if r.Cost != nil {
		costText(w, r.Cost)
	}
	for _, p := range r.Problems {
		mark := "!"
		if p.Stops {
			mark = "stops:"
		}
		fmt.Fprintf(w, "\n%s %s\n  fix: %s\n", mark, strings.TrimPrefix(nodesText(p.Nodes)+": "+p.Reason, ": "), p.Fix)
	}
	_, err := fmt.Fprintf(w, "\nnext: %s\n", legible.Line(r.Next))
	return err
}

// shownNodes bounds the nodes that a finding names; --json has them all.
const shownNodes = 6

// nodesText names nodes, and counts them where they are many.
func nodesText(nodes []string) string {
	if len(nodes) <= shownNodes {
		return legible.Line(strings.Join(nodes, ", "))
	}
	return fmt.Sprintf("%d nodes, %s, ...", len(nodes), legible.Line(strings.Join(nodes[:shownNodes], ", ")))
}

// costText says what training takes, on the samples that are known or else per number of them.
func costText(w io.Writer, c *doctor.TrainingCost) {
	fmt.Fprintf(w, "training: about %.0f samples/s with %d paths and %d samples a step on %d threads (from measured steps of %s); %.0f MB (planned)\n",
		c.ImagesPerS, c.Paths, c.Batch, c.Threads, bitsText(c.Measured), c.MemoryMB)
	s := c.Schedule
	if s == nil {
		fmt.Fprintf(w, "about %s per epoch of 10,000 samples; --data PATH tells the whole time\n", duration(c.SecondsPer10k))
		return
	}
	fmt.Fprintf(w, "about %s per epoch of %d samples; %s with --effort %s, the default: %d updates, %.0f epochs\n",
		duration(s.EpochSeconds), s.Samples, duration(s.Seconds), s.Effort, s.Updates, s.Epochs)
}

// duration is seconds as a person says them.
func duration(seconds float64) string {
	if seconds < 10 {
		return fmt.Sprintf("%.1f s", seconds)
	}
	return (time.Duration(seconds) * time.Second).String()
}
