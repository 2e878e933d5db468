package cmd

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "compare an exported file with the simulation, code by code",
		ArgsUsage: "MODEL.onnx",
		Description: "The file must lie in out/ of its workspace, which holds the supernet and the policy to compare with.\n" +
			"Exit code 4 where it computes something else.",
		Flags: commonFlags(
			workspaceFlag(),
			&cli.StringFlag{Name: "data", Usage: "pictures; default: those of the workspace"},
			&cli.IntFlag{Name: "samples", Usage: "pictures whose codes are compared (default 64)"},
		),
		Action: runVerify,
	}
}

func runVerify(c *cli.Context) error {
	model, err := oneArgument(c, "model", true)
	if err != nil {
		return err
	}
	o := pipeline.Options{Workspace: c.String("workspace"), Data: c.String("data"), VerifySamples: c.Int("samples")}
	if err := common(c, &o); err != nil {
		return err
	}
	view := newView(c)
	defer view.close()
	o.Events = view.sink()
	r, err := pipeline.Verify(c.Context, o, model)
	view.close()
	if r != nil && c.Bool("json") {
		if jsonErr := writeJSON(c.App.Writer, r); jsonErr != nil {
			return jsonErr
		}
	}
	if err != nil {
		return err
	}
	if !c.Bool("json") {
		fmt.Fprintf(c.App.Writer, "%s: profile %s, %s codes compared, %d differ; %d predictions differ\n",
			model, r.Profile, count(r.CodesCompared), r.CodesDifferent, r.Flips)
		for _, l := range r.Lint {
			fmt.Fprintln(c.App.Writer, "lint:", l)
		}
	}
	return nil
}
