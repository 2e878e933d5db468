package cmd

import (
	"github.com/urfave/cli/v2"
)

func searchCommand() *cli.Command {
	return &cli.Command{
		Name:      "search",
		Usage:     "search new targets, pins or caps on a trained workspace",
		ArgsUsage: " ",
		Flags: commonFlags(
			&cli.StringSliceFlag{Name: "target", Aliases: []string{"t"}, Usage: "what to meet, `TARGET`; repeat for several"},
			workspaceFlag(),
			&cli.StringSliceFlag{Name: "pin", Usage: "hold layers at widths, `NODE=W/A`"},
			&cli.StringSliceFlag{Name: "cap", Usage: "bound widths of layers, `NODE=W/A`"},
			&cli.IntFlag{Name: "search-samples", Usage: "training pictures that score a candidate (default 256)"},
			&cli.StringFlag{Name: "provider", Usage: "where candidates are scored: cpu, cuda or tensorrt"},
		),
		Action: runSearch,
	}
}

func runSearch(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("search works on a workspace, state it with --workspace")
	}
	o, err := compressOptions(c)
	if err != nil {
		return err
	}
	o.SearchOnly = true
	r, err := runPipeline(c, o)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, map[string]any{"results": r.Results})
	}
	return compressTable(c.App.Writer, r)
}
