package cmd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// commonFlags belong to every command.
func commonFlags(more ...cli.Flag) []cli.Flag {
	return append(more,
		&cli.BoolFlag{Name: "json", Usage: "print one JSON document on stdout, nothing else there"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "warnings and errors only on stderr"},
		&cli.BoolFlag{Name: "verbose", Usage: "progress every second where stderr is no terminal, not every ten"},
		&cli.StringFlag{Name: "onnxruntime", Usage: "`PATH` of the onnxruntime library; also $MPQC_ONNXRUNTIME"},
		&cli.IntFlag{Name: "threads", Usage: "use `N` threads; 0: all. Results do not depend on it"},
	)
}

func workspaceFlag() cli.Flag {
	return &cli.StringFlag{Name: "workspace", Usage: "`DIR` with what is kept between runs; default NAME.mpqc in the current folder"}
}

// dataFlags say where samples are and how they enter the model.
func dataFlags() []cli.Flag {
	return under(whatSamples,
		&cli.StringFlag{Name: "data", Usage: "`PATH` of a folder or zip with one folder per class, an IDX pair, CIFAR .bin or .npz"},
		&cli.BoolFlag{Name: "no-labels", Usage: "ignore labels: work against the float model's own outputs"},
		&cli.StringSliceFlag{Name: "outputs", Usage: "`KINDS` of the outputs, scores or values, or NAME=KIND for single ones; default: scores where there is one row of several numbers per sample"},
		&cli.Float64Flag{Name: "holdout", Usage: "`SHARE` of the samples to hold out where the data has no test split; default 0.5"},
		&cli.IntFlag{Name: "develop", Usage: "take `N` training samples, always the same, in place of the test samples: for choices that must not be made by looking at those"},
		&cli.StringFlag{Name: "preset", Usage: "preprocessing by `NAME`: imagenet, cifar10, fashion-mnist, unit, raw; the flags below change parts of it, or of the model's own"},
		&cli.StringFlag{Name: "mean", Usage: "means after scaling to 0..1, `R,G,B`"},
		&cli.StringFlag{Name: "std", Usage: "standard deviations after scaling to 0..1, `R,G,B`"},
		&cli.StringFlag{Name: "resize", Usage: "`HxW`, or one number for the shorter side"},
		&cli.StringFlag{Name: "crop", Usage: "centre crop to `HxW`"},
		&cli.StringFlag{Name: "layout", Usage: "`NCHW` or NHWC"},
		&cli.StringFlag{Name: "color", Usage: "`RGB`, BGR or GRAY"},
	)
}

// ints reads "2,3,4".
func ints(name, s string) ([]int, error) {
	if s == "" {
		return nil, nil
	}
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, usagef("--%s: %q is not a list of whole numbers", name, s)
		}
		out = append(out, n)
	}
	return out, nil
}

// list reads "a,b", and repeated flags.
func list(values []string) []string {
	var out []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// sizeOf reads "224" or "224x224".
func sizeOf(name, s string) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(s, "x") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, usagef("--%s: %q is not HxW", name, s)
		}
		out = append(out, n)
	}
	if len(out) > 2 {
		return nil, usagef("--%s: %q is not HxW", name, s)
	}
	return out, nil
}

// bytesOf reads "800MB", "4GB" or "4G", powers of ten as disks and clouds count them; "" is 0.
func bytesOf(name, s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	number := strings.TrimRight(strings.ToUpper(s), "KMGTB")
	factor, known := map[string]float64{"B": 1, "KB": 1e3, "K": 1e3, "MB": 1e6, "M": 1e6, "GB": 1e9, "G": 1e9, "TB": 1e12, "T": 1e12}[strings.ToUpper(s)[len(number):]]
	v, err := strconv.ParseFloat(number, 64)
	if n := v * factor; err == nil && known && n >= 1 && n < 1<<62 {
		return int64(n), nil
	}
	return 0, usagef("--%s: %q is not a size such as 800MB or 4GB", name, s)
}

func floats(name, s string) ([]float64, error) {
	var out []float64
	for part := range strings.SplitSeq(s, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return nil, usagef("--%s: %q is not a list of numbers", name, s)
		}
		out = append(out, v)
	}
	return out, nil
}

// oneArgument returns the only positional argument, or "" where there is none and none is needed.
func oneArgument(c *cli.Context, what string, needed bool) (string, error) {
	switch {
	case c.Args().Len() > 1:
		return "", usagef("%s takes one %s, got %d: %s", c.Command.Name, what, c.Args().Len(), strings.Join(c.Args().Slice(), " "))
	case needed && !c.Args().Present():
		return "", usagef("%s needs a %s", c.Command.Name, what)
	}
	return c.Args().First(), nil
}

// number shows a value, or a dash where there is none.
func number(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.4f", *v)
}

// percent shows a share, or a dash where there is none.
func percent(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.2f %%", 100**v)
}
