package cmd

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "compare an exported file with the simulation, code by code, and lint it against a profile",
		ArgsUsage: "MODEL.onnx",
		Description: "The file lies in out/ of its workspace, or --workspace names the one that holds the supernet and the policy to\n" +
			"compare with, and stays as it is. Exit code 4 where it computes something else. With --profile any quantized file,\n" +
			"of any program, is linted against that profile; exit code 1 where it breaks a convention.",
		Flags: commonFlags(
			workspaceFlag(),
			&cli.StringFlag{Name: "profile", Usage: "lint against `NAME`, one of " + strings.Join(options.Profiles(), ", ") + "; default: the file's own"},
			&cli.StringFlag{Name: "data", Usage: "samples; default: those of the workspace"},
			&cli.IntFlag{Name: "samples", Usage: "samples whose codes are compared (default 64)"},
		),
		Action: runVerify,
	}
}

func runVerify(c *cli.Context) error {
	model, err := oneArgument(c, "model", true)
	if err != nil {
		return err
	}
	var o pipeline.Options
	if err := bind(c, &o, "profile"); err != nil { // that of the file
		return err
	}
	view := newView(c)
	defer view.close()
	o.Events = view.sink()
	r, err := pipeline.Verify(c.Context, o, model, c.String("profile"))
	view.close()
	if r != nil && c.Bool("json") {
		if jsonErr := writeJSON(c.App.Writer, r); jsonErr != nil {
			return jsonErr
		}
	}
	if r != nil && !c.Bool("json") {
		verifyText(c, model, r)
	}
	if err == nil && r.Errors > 0 {
		return fmt.Errorf("%s breaks %d conventions of profile %s", model, r.Errors, r.Profile)
	}
	return err
}

func verifyText(c *cli.Context, model string, r *pipeline.VerifyResult) {
	if r.CodesCompared > 0 {
		fmt.Fprintf(c.App.Writer, "%s: profile %s, %s codes compared, %d differ, by at most %d; %d predictions differ, %s, by at most %.3g\n",
			model, r.Profile, count(r.CodesCompared), r.CodesDifferent, r.MaxCodeDiff, r.Flips, record.OutputsText(r.Outputs), r.MaxAbsDiff)
		fmt.Fprintf(c.App.Writer, "the whole file was computed by %s\n", r.ComputedBy)
	} else {
		fmt.Fprintf(c.App.Writer, "%s: linted against profile %s\n", model, r.Profile)
	}
	for _, l := range r.Lint {
		fmt.Fprintln(c.App.Writer, "lint:", l)
	}
}
