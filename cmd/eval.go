package cmd

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
)

func evalCommand() *cli.Command {
	return &cli.Command{
		Name:      "eval",
		Usage:     "measure top-1, top-5 and loss of any ONNX file in onnxruntime",
		ArgsUsage: "MODEL.onnx",
		Flags: commonFlags(append(dataFlags(),
			&cli.StringFlag{Name: "against", Usage: "compare predictions with the float model at `PATH`"},
			&cli.StringFlag{Name: "split", Usage: "test, train or all", Value: "test"},
			&cli.IntFlag{Name: "samples", Usage: "use `N` samples, drawn by --seed. 0: all"},
			&cli.StringFlag{Name: "provider", Usage: "cpu, cuda or tensorrt", Value: "cpu"},
			&cli.Uint64Flag{Name: "seed", Usage: "seed of the held-out split and of --samples", Value: 1},
		)...),
		Action: runEval,
	}
}

func runEval(c *cli.Context) error {
	model, err := oneArgument(c, "model", true)
	if err != nil {
		return err
	}
	var o pipeline.Options
	if err := bind(c, &o, "samples"); err != nil { // so many samples in all
		return err
	}
	o.Model = model
	view := newView(c)
	defer view.close()
	o.Events = view.sink()
	r, err := pipeline.Eval(c.Context, o, pipeline.EvalOptions{Against: c.String("against"), Split: c.String("split"), Samples: c.Int("samples")})
	if err != nil {
		return err
	}
	view.close()
	w := c.App.Writer
	if c.Bool("json") {
		return writeJSON(w, r)
	}
	t := newTable("samples", "top-1", "top-5", "loss", "speed")
	t.row(count(int64(r.N)), percent(r.Top1), percent(r.Top5), number(r.Loss), rate(r.ImagesPerS))
	if err := t.write(w); err != nil {
		return err
	}
	if r.Agreement != nil {
		fmt.Fprintf(w, "\nagreement %s, KL %.5f against %s\n", percent(r.Agreement), *r.KL, c.String("against"))
	}
	return nil
}
