package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:      "version",
		Usage:     "show this build, its instruction set and its onnxruntime library",
		ArgsUsage: " ",
		Description: "A missing library is no error here. The places that were searched are shown. Of the commands that work on models,\n" +
			"only import does without the library.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print one JSON document on stdout"},
			&cli.StringFlag{Name: "onnxruntime", Usage: "`PATH` of the onnxruntime library; also $MPQC_ONNXRUNTIME"},
		},
		Action: runVersion,
	}
}

func runVersion(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("version takes no arguments")
	}
	b := pipeline.About(c.String("onnxruntime"))
	if c.Bool("json") {
		return writeJSON(c.App.Writer, b)
	}
	return versionText(c.App.Writer, b)
}

func versionText(w io.Writer, b pipeline.BuildInfo) error {
	isa := map[string]string{"avx512": "AVX-512", "avx2": "AVX2", "go": "Go (no assembly)"}[b.ISA]
	switch {
	case b.VNNI:
		isa += " + VNNI"
	case b.ISA == "avx512":
		isa += " (no VNNI: codes as with AVX2)"
	}
	fmt.Fprintf(w, "%s\ninstruction set: %s, %d threads\n", b, isa, b.Threads)
	if b.Runtime.Error != "" {
		_, err := fmt.Fprintf(w, "onnxruntime: missing: %s\n", strings.ReplaceAll(b.Runtime.Error, "\n", "\n  "))
		return err
	}
	_, err := fmt.Fprintf(w, "onnxruntime: %s, providers %s\n  %s\n", b.Runtime.Version, strings.Join(b.Runtime.Providers, ", "), b.Runtime.Library)
	return err
}
