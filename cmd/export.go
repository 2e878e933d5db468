package cmd

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/options"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write policies that were found earlier in further profiles",
		ArgsUsage: " ",
		Description: "Exports and verifies, searches and trains nothing. Without --target every policy of the workspace is taken.\n" +
			"A profile without unsigned 8-bit type (trt) needs a supernet that was trained with it among its profiles.",
		Flags: commonFlags(
			workspaceFlag(),
			&cli.StringSliceFlag{Name: "profile", Usage: "dialects of the exported files, a `LIST` of " + strings.Join(options.Profiles(), ", ")},
			&cli.BoolFlag{Name: "packed", Usage: "store weights at their own width; onnxruntime unpacks them when it loads the file"},
			&cli.StringSliceFlag{Name: "target", Aliases: []string{"t"}, Usage: "policies to export: a `TARGET` that was searched for, or policy-NAME of one that was stated; repeat for several"},
		),
		Action: runExport,
	}
}

func runExport(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("export works on a workspace, state it with --workspace")
	}
	var o pipeline.Options
	if err := bind(c, &o); err != nil {
		return err
	}
	view := newView(c)
	defer view.close()
	o.Events = view.sink()
	r, err := pipeline.Export(c.Context, o)
	err = withReport(r, err)
	view.close()
	if r == nil {
		return err
	}
	return show(c, r, err, map[string]any{"results": r.Results})
}
