package cmd

import (
	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
)

func searchCommand() *cli.Command {
	return &cli.Command{
		Name:      "search",
		Usage:     "search new targets, pins or caps on a trained workspace",
		ArgsUsage: " ",
		Flags: commonFlags(append(searchFlags(), workspaceFlag(),
			&cli.StringFlag{Name: "provider", Usage: "where `NAME` = cpu, cuda or tensorrt runs candidates; default cpu"})...),
		Action: runSearch,
	}
}

func runSearch(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("search works on a workspace, state it with --workspace")
	}
	o := pipeline.Options{SearchOnly: true}
	if err := bind(c, &o); err != nil {
		return err
	}
	r, err := runPipeline(c, o)
	if r == nil {
		return err
	}
	return show(c, r, err, map[string]any{"results": r.Results})
}
