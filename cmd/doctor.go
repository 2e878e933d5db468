package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "what compress would do with a model and what would go wrong; changes nothing",
		ArgsUsage: "MODEL.onnx",
		Description: "Examines the file, the plan, the runtime and a few training steps on noise, and names every problem with its fix.\n" +
			"Exit code 1 says that compress would stop.",
		Flags:  commonFlags(append(candidateFlags(), &cli.StringFlag{Name: "profile", Usage: "`NAME` of the profile that will be exported; default ort"})...),
		Action: runDoctor,
	}
}

func runDoctor(c *cli.Context) error {
	model, err := oneArgument(c, "model", true)
	if err != nil {
		return err
	}
	o := pipeline.Options{Model: model, Exclude: list(c.StringSlice("exclude"))}
	if p := c.String("profile"); p != "" {
		o.Profiles = []string{p}
	}
	if err := common(c, &o); err != nil {
		return err
	}
	if err := bitFlags(c, &o); err != nil {
		return err
	}
	view := newView(c)
	defer view.close()
	o.Events = view.sink()
	r, err := pipeline.Doctor(c.Context, o)
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
func doctorText(w io.Writer, r *pipeline.DoctorResult) error {
	if len(r.Layers) > 0 {
		if err := layerTable(w, r.Layers, r.Groups); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	for _, g := range r.Groups {
		if len(g.Layers) > 1 {
			fmt.Fprintf(w, "group: %s read tensor %s and share one activation width\n", strings.Join(g.Layers, ", "), g.Tensor)
		}
	}
	for _, x := range r.External {
		fmt.Fprintf(w, "external data: %s, %d tensors, %s\n", x.Path, x.Tensors, bytesText(x.Bytes))
	}
	if c := r.Cost; c != nil {
		fmt.Fprintf(w, "training: about %.0f pictures/s with %d paths and %d pictures a step on %d threads (from measured steps of %s), "+
			"%.0f s per epoch of 10,000 pictures; %.0f MB (planned)\n",
			c.ImagesPerS, c.Paths, c.Batch, c.Threads, bitsText(c.Measured), c.SecondsPer10k, c.MemoryMB)
	}
	for _, p := range r.Problems {
		mark := "!"
		if p.Stops {
			mark = "stops:"
		}
		fmt.Fprintf(w, "\n%s %s\n  fix: %s\n", mark, strings.TrimPrefix(p.Node+": "+p.Reason, ": "), p.Fix)
	}
	_, err := fmt.Fprintf(w, "\nnext: %s\n", r.Next)
	return err
}
