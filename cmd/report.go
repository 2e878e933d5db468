package cmd

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/report"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "render report.html of a workspace anew",
		ArgsUsage: " ",
		Flags:     commonFlags(workspaceFlag()),
		Action:    runReport,
	}
}

func runReport(c *cli.Context) error {
	dir := c.String("workspace")
	if dir == "" {
		found, err := pipeline.FindWorkspaces(".")
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return usagef("%d workspaces here, choose one with --workspace %v", len(found), found)
		}
		dir = found[0]
	}
	path, err := report.Render(dir)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, map[string]string{"path": path})
	}
	fmt.Fprintln(c.App.Writer, path)
	return nil
}
