package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/report"
)

func compressCommand() *cli.Command {
	return &cli.Command{
		Name:      "compress",
		Usage:     "calibrate, train once, then search, export and verify one model per target",
		ArgsUsage: "[MODEL.onnx]",
		Description: "Without a model the workspace in the current folder goes on; without a workspace the embedded example is used.\n" +
			"Options that are not given come from the workspace. A trained supernet is kept unless --retrain is given.\n\n" +
			"Targets: 4.0bit, 3.5bit (BitOPs at b x b bits) · w4.0a8, w3.5a4.5 (average bits) · 33.9GBitOPs · 6MB (packed) · 4.0bit,2MB",
		Flags:  commonFlags(append(compressFlags(), dataFlags()...)...),
		Action: runCompress,
	}
}

func compressFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "target", Aliases: []string{"t"}, Usage: "what to meet, `TARGET`; repeat for several models from one training"},
		workspaceFlag(),
		&cli.StringSliceFlag{Name: "pin", Usage: "hold layers at widths, `NODE=W/A`; search only"},
		&cli.StringSliceFlag{Name: "cap", Usage: "bound widths of layers, `NODE=W/A`; search only"},
		&cli.StringFlag{Name: "profile", Usage: "dialect of the exported file, `LIST` of: ort"},
		&cli.StringFlag{Name: "bits", Usage: "candidate widths, `LIST`; default 2,3,4,5,6,8; one number: one uniform width"},
		&cli.StringFlag{Name: "weight-bits", Usage: "candidate widths of weights, `LIST`"},
		&cli.StringFlag{Name: "activation-bits", Usage: "candidate widths of activations, `LIST`"},
		&cli.StringSliceFlag{Name: "exclude", Usage: "layers to keep in float, `NODES` by name or pattern"},
		&cli.StringFlag{Name: "effort", Usage: "quick, standard or paper: how long to train"},
		&cli.Float64Flag{Name: "epochs", Usage: "passes over the training pictures; 0: post-training quantization (`N`)"},
		&cli.DurationFlag{Name: "time", Usage: "train for this long, for example 30m"},
		&cli.IntFlag{Name: "train-samples", Usage: "use `N` training pictures per epoch; 0: all"},
		&cli.IntFlag{Name: "paths", Usage: "paths per training step, the widest included (default 4)"},
		&cli.IntFlag{Name: "batch", Usage: "pictures per training step (default 64)"},
		&cli.Float64Flag{Name: "lr", Usage: "learning rate at the start (default 0.01)"},
		&cli.StringFlag{Name: "augment", Usage: "`LIST` of flip, crop; or none"},
		&cli.IntFlag{Name: "calibrate-samples", Usage: "pictures for ranges (default 256)"},
		&cli.IntFlag{Name: "search-samples", Usage: "training pictures that score a candidate (default 256)"},
		&cli.IntFlag{Name: "norm-samples", Usage: "training pictures that re-estimate BatchNorm for a found policy (default 2048)"},
		&cli.BoolFlag{Name: "retrain", Usage: "throw the trained supernet away"},
		&cli.Uint64Flag{Name: "seed", Usage: "seed of everything random (default 1)"},
		&cli.StringFlag{Name: "provider", Usage: "where candidates are scored: cpu, cuda or tensorrt"},
	}
}

func runCompress(c *cli.Context) error {
	model, err := oneArgument(c, "model", false)
	if err != nil {
		return err
	}
	o, err := compressOptions(c)
	if err != nil {
		return err
	}
	o.Model = model
	r, err := runPipeline(c, o)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, r)
	}
	return compressTable(c.App.Writer, r)
}

// runPipeline runs with progress on stderr and writes the report, even of a file that did not verify.
func runPipeline(c *cli.Context, o pipeline.Options) (*pipeline.Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	view := newView(c)
	defer view.close()
	o.Events = view.sink()
	r, err := pipeline.Run(c.Context, o)
	if r != nil && len(r.Results) > 0 {
		if reportErr := report.Write(r); reportErr != nil && err == nil {
			err = reportErr
		}
	}
	return r, err
}

func compressOptions(c *cli.Context) (pipeline.Options, error) {
	o := pipeline.Options{
		Workspace: c.String("workspace"), Data: c.String("data"), Targets: c.StringSlice("target"),
		Pins: c.StringSlice("pin"), Caps: c.StringSlice("cap"), Profiles: list([]string{c.String("profile")}),
		Exclude: list(c.StringSlice("exclude")), Effort: c.String("effort"), Time: c.Duration("time"),
		Paths: c.Int("paths"), BatchSize: c.Int("batch"), LearningRate: c.Float64("lr"),
		Augment: list([]string{c.String("augment")}), Retrain: c.Bool("retrain"), Provider: c.String("provider"),
		CalibrateSamples: c.Int("calibrate-samples"), SearchSamples: c.Int("search-samples"), NormSamples: c.Int("norm-samples"),
		NoLabels: stated(c, "no-labels", c.Bool), Holdout: stated(c, "holdout", c.Float64), Seed: stated(c, "seed", c.Uint64),
		Epochs: stated(c, "epochs", c.Float64), TrainSamples: stated(c, "train-samples", c.Int),
	}
	if err := common(c, &o); err != nil {
		return o, err
	}
	if err := bitFlags(c, &o); err != nil {
		return o, err
	}
	return o, preprocessing(c, &o)
}

// stated is nil unless the flag was given: zero is a choice of its own.
func stated[T any](c *cli.Context, name string, get func(string) T) *T {
	if !c.IsSet(name) {
		return nil
	}
	v := get(name)
	return &v
}

func compressTable(w io.Writer, r *pipeline.Result) error {
	t := newTable("", "top-1", "loss", "agreement", "bits w/a", "BitOPs", "packed", "speed")
	t.row("float", percent(r.Float.Top1), fmt.Sprintf("%.4f", r.Float.Loss), "", "32/32", "", "", "")
	for _, x := range r.Results {
		t.rule()
		bits := fmt.Sprintf("%.2f/%.2f", x.AvgWeightBits, x.AvgActivationBits)
		t.row(x.Target, percent(x.Metric.Top1), fmt.Sprintf("%.4f", x.Metric.Loss), percent(&x.Metric.Agreement), bits,
			count(x.BitOPs), bytesText(x.PackedBytes), "")
		t.row(fmt.Sprintf("  uniform %d bit, filled", x.Uniform.Bits), percent(x.Uniform.Top1), "", "", "", count(x.Uniform.BitOPs), "", "")
		for _, f := range x.Files {
			speed := ""
			if f.FloatImagesPerS > 0 {
				speed = fmt.Sprintf("%.2fx float", f.ImagesPerS/f.FloatImagesPerS)
			}
			t.row("  in onnxruntime", percent(f.Top1), "", "", "", "", "", speed)
		}
	}
	if err := t.write(w); err != nil {
		return err
	}
	for _, x := range r.Results {
		for _, f := range x.Files {
			fmt.Fprintf(w, "\n%s  %s\n  %s\n", f.Path, bytesText(f.Bytes), verdict(f))
		}
	}
	s := r.Seconds
	fmt.Fprintf(w, "\nseconds: calibrate %.1f, train %.1f, search %.1f, export %.1f, verify %.1f\n", s.Calibrate, s.Train, s.Search, s.Export, s.Verify)
	fmt.Fprintf(w, "report: %s\n", strings.TrimPrefix(report.Path(r), "./"))
	return nil
}

func verdict(f pipeline.File) string {
	if !f.Verified {
		return fmt.Sprintf("NOT verified: %d of %d codes differ from the simulation", f.CodesDifferent, f.CodesCompared)
	}
	return fmt.Sprintf("verified: %s codes compared, 0 differ; %d of %d predictions differ", count(f.CodesCompared), f.Flips, f.PicturesCompared)
}
