package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline/report"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write report.html of a workspace again",
		ArgsUsage: " ",
		Flags: commonFlags(workspaceFlag(), &cli.StringFlag{
			Name: "beside", Usage: "also show the turbulence over training of the workspace `DIR`, for example one with --no-scheduler",
		}),
		Action: runReport,
	}
}

func runReport(c *cli.Context) error {
	dir := c.String("workspace")
	if dir == "" {
		found, err := workspace.Find(".")
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return usagef("no workspace here; mpqc compress makes one, --workspace names one elsewhere")
		}
		if len(found) > 1 {
			return usagef("several workspaces here, choose one with --workspace: %s", strings.Join(found, ", "))
		}
		dir = found[0]
	}
	if err := report.Await(c.Context, dir, func(text string) { fmt.Fprintln(c.App.ErrWriter, "mpqc:", text) }); err != nil {
		return err
	}
	beside := c.String("beside")
	for _, d := range []string{dir, beside} {
		if d == "" {
			continue
		}
		if _, err := workspace.Open(d); errors.Is(err, fs.ErrNotExist) {
			return usagef("%s is no workspace", d)
		}
	}
	path, err := report.Render(dir, beside)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usagef("workspace %s has no results yet: run mpqc compress first", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; report.html stands in the workspace: copy that to a place that can be written and name it with --workspace DIR", err)
	case err != nil:
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, map[string]string{"path": path})
	}
	fmt.Fprintln(c.App.Writer, path)
	return nil
}
