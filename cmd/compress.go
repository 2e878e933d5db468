package cmd

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/report"
)

func compressCommand() *cli.Command {
	return &cli.Command{
		Name:      "compress",
		Usage:     "calibrate, train once, then search, export and verify one file per target",
		ArgsUsage: "[MODEL.onnx]",
		Description: `Without a model, the workspace in the current folder is used. Without a workspace, the embedded example is used.
Options that are not given come from the workspace. A trained supernet is kept unless --retrain is given.

  mpqc compress model.onnx --data pictures.zip --target 4.0bit --target 3.0bit
  mpqc compress --target 2.5bit --pin conv1=8/8        search again, train nothing
  mpqc compress --epochs 0 --target 6MB                post-training quantization`,
		Flags:  commonFlags(slices.Concat(searchFlags(), widthFlags(), dataFlags(), trainFlags(), []cli.Flag{workspaceFlag()})...),
		Action: runCompress,
	}
}

// searchFlags say what to look for in a trained supernet.
func searchFlags() []cli.Flag {
	return under(whatToMeet,
		&cli.StringSliceFlag{Name: "target", Aliases: []string{"t"}, Usage: "`TARGET` to meet: 4.0bit, 3.5bit (BitOPs at b x b bits), w4.0a8, w3.5a4.5 (average bits), 33.9GBitOPs, " +
			"6MB (packed size), max-drop=1.0 (least BitOPs within 1.0 points of accuracy), 4.0bit,2MB (both). " +
			"Repeat it for several files from one training. Default 4.0bit"},
		&cli.StringSliceFlag{Name: "pin", Usage: "fix the bits of layers, `NODE=W/A`. * in NODE matches anything. Repeatable"},
		&cli.StringSliceFlag{Name: "cap", Usage: "limit the bits of layers, `NODE=W/A`, for example 'layer4.*=4/8'. Repeatable"},
		&cli.StringFlag{Name: "policy", Usage: "export the policy in `FILE` instead of searching. FILE is an edited copy of search/TARGET.policy"},
		&cli.IntFlag{Name: "search-samples", Usage: "score policies on `N` training samples, and sensitivities on half of them, at least 256. Default 512, or all if there are fewer"},
		&cli.Uint64Flag{Name: "search-seed", Usage: "draw the samples of the search with seed `N` instead of --seed, to see what depends on them"},
		&cli.IntFlag{Name: "random", Usage: "compare each search with the best of `N` random policies of the same budget"},
		&cli.IntFlag{Name: "norm-samples", Usage: "re-estimate BatchNorm for a found policy on `N` training samples. Default 2048"},
	)
}

func widthFlags() []cli.Flag {
	return under(howToWidth, append(candidateFlags(),
		&cli.StringSliceFlag{Name: "profile", Usage: "profiles of the exported files, a `LIST` of " + strings.Join(options.Profiles(), ", ") + ". Default ort"},
		&cli.BoolFlag{Name: "packed", Usage: "store weights at their own width. onnxruntime unpacks them when it loads the file"},
		&cli.StringFlag{Name: "provider", Usage: "run candidates and exported files on `NAME`: cpu, cuda or tensorrt. Default cpu"},
	)...)
}

// candidateFlags say what is quantized, and to what.
func candidateFlags() []cli.Flag {
	return under(howToWidth,
		&cli.StringFlag{Name: "bits", Usage: "candidate bit-widths, a `LIST`. One number trains one uniform width, float trains without quantizers. Default 2,3,4,5,6,8"},
		&cli.StringFlag{Name: "weight-bits", Usage: "candidate bit-widths of weights only, `LIST`"},
		&cli.StringFlag{Name: "activation-bits", Usage: "candidate bit-widths of activations only, `LIST`"},
		&cli.StringSliceFlag{Name: "exclude", Usage: "keep `NODES` in float: names or patterns, separated by commas"},
	)
}

func trainFlags() []cli.Flag {
	return under(howToTrain,
		&cli.StringFlag{Name: "effort", Usage: "length of training, `E`: quick (1 epoch, at least 400 updates), standard (5, 800) or paper (30, 5000). Default standard"},
		&cli.Float64Flag{Name: "epochs", Usage: "train for `N` passes over the training samples. 0 skips training: post-training quantization"},
		&cli.DurationFlag{Name: "time", Usage: "train for a `DURATION` such as 30m"},
		&cli.StringFlag{Name: "rounding", Usage: "`HOW` weights are rounded: compensated (the rounding error of one weight is compensated by the next, as in GPTQ) or nearest. The supernet does not change"},
		&cli.Float64Flag{Name: "polish", Usage: "fine-tune each found policy for `N` epochs and report the gain. The supernet does not change. 0 restores the policy of before"},
		&cli.IntFlag{Name: "train-samples", Usage: "use `N` training samples per epoch. 0: all"},
		&cli.IntFlag{Name: "calibrate-samples", Usage: "calibrate on `N` training samples. Default 256"},
		&cli.IntFlag{Name: "paths", Usage: "train `N` paths per step, the widest one included. Default 4"},
		&cli.IntFlag{Name: "batch", Usage: "`N` samples per step. Default 64"},
		&cli.Float64Flag{Name: "lr", Usage: "highest learning `RATE`, of training and of --polish. The default follows from the number of updates: 0.01 from 5000 on, at most 0.0025 for --polish"},
		&cli.StringFlag{Name: "augment", Usage: "augment samples, a `LIST` of flip and crop, or none. Default flip,crop"},
		&cli.StringFlag{Name: "ranges", Usage: "`HOW` calibration chooses the first step sizes: mse (least squared error), percentile or minmax. Default mse"},
		&cli.StringFlag{Name: "sampling", Usage: "`HOW` random paths are drawn: front (near the Pareto front of the calibrated network), tilted (anywhere; one per step prefers low widths, by a random amount) or uniform (anywhere). Default front"},
		&cli.Float64Flag{Name: "label-smoothing", Usage: "spread a `SHARE` of each label over all classes. Default 0"},
		&cli.Float64Flag{Name: "float-teacher", Usage: "`SHARE` of the task loss that comes from the float model's outputs; labels have the rest. From 0 to below 1. Default 0.9"},
		&cli.Uint64Flag{Name: "seed", Usage: "seed of everything random, a whole `NUMBER`. Default 1"},
		&cli.DurationFlag{Name: "checkpoint-every", Usage: "save a checkpoint of training every `DURATION`. A crash costs no more than that. Default 1m"},
		&cli.StringFlag{Name: "max-memory", Usage: "refuse a run that needs more than `SIZE`, such as 800MB or 4GB, before any work, and name a --batch or --threads that fits"},
		&cli.BoolFlag{Name: "retrain", Usage: "discard the trained supernet and train again"},
		&cli.BoolFlag{Name: "no-scheduler", Usage: "ablation: no bit-width scheduler, every width may be drawn at any time"},
		&cli.BoolFlag{Name: "no-idm", Usage: "ablation: no information distortion mitigation between the lowest width and the widest path"},
		&cli.BoolFlag{Name: "no-damping", Usage: "ablation: no dampening, which pulls weights toward their levels"},
		&cli.BoolFlag{Name: "no-ema", Usage: "ablation: take the weights of the last step, not their moving average"},
		&cli.BoolFlag{Name: "no-kd", Usage: "ablation: no distillation from the widest path"},
		&cli.BoolFlag{Name: "shared-norms", Aliases: []string{"no-switchable-norms"}, Usage: "ablation: one BatchNorm per layer for all widths"},
	)
}

func runCompress(c *cli.Context) error {
	model, err := oneArgument(c, "model", false)
	if err != nil {
		return err
	}
	var o pipeline.Options
	if err := bind(c, &o); err != nil {
		return err
	}
	o.Model = model
	r, err := runPipeline(c, o)
	return show(c, r, err, r)
}

// show prints a result as JSON or as a table. What did not verify is shown, too, before the error.
func show(c *cli.Context, r *pipeline.Result, err error, doc any) error {
	if err != nil && (r == nil || len(r.Results) == 0) {
		return err
	}
	if c.Bool("json") {
		return errors.Join(writeJSON(c.App.Writer, doc), err)
	}
	return errors.Join(compressTable(c.App.Writer, r), err)
}

// runPipeline runs with progress on stderr and writes the report, even of a file that did not verify.
func runPipeline(c *cli.Context, o pipeline.Options) (*pipeline.Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	view := newView(c)
	defer view.close()
	o.Events = view.sink()
	if o.MaxMemory > 0 {
		debug.SetMemoryLimit(o.MaxMemory) // collect garbage rather than grow beyond
	}
	r, err := pipeline.Run(c.Context, o)
	return r, withReport(r, err)
}

// withReport writes the report of a run that ended with err, if it has results.
func withReport(r *pipeline.Result, err error) error {
	if r == nil || len(r.Results) == 0 {
		return err
	}
	return errors.Join(err, report.Write(r))
}

func compressTable(w io.Writer, r *pipeline.Result) error {
	t := newTable("", "top-1", "loss", "agreement", "bits w/a", "BitOPs", "packed", "speed")
	t.row("float", percent(r.Float.Top1), fmt.Sprintf("%.4f", r.Float.Loss), "", "32/32", "", "", "")
	for _, x := range r.Results {
		t.rule()
		resultRows(t, x)
	}
	if err := t.write(w); err != nil {
		return err
	}
	for _, x := range r.Results {
		for _, f := range x.Files {
			fmt.Fprintf(w, "\n%s  %s\n", f.Path, bytesText(f.Bytes))
			for _, line := range append([]string{verdict(f)}, details(f)...) {
				fmt.Fprintln(w, "  "+line)
			}
		}
	}
	s := r.Seconds
	fmt.Fprintf(w, "\nseconds: calibrate %.1f, train %.1f, round %.1f, search %.1f, polish %.1f, export %.1f, verify %.1f\n",
		s.Calibrate, s.Train, s.Round, s.Search, s.Polish, s.Export, s.Verify)
	fmt.Fprintf(w, "report: %s\n", strings.TrimPrefix(report.Path(r), "./"))
	return nil
}

// resultRows are one target beside its baseline, and its files.
func resultRows(t *table, x pipeline.TargetResult) {
	name, trained := x.Target, len(x.Files) == 1 && x.Files[0].Profile == "float"
	if trained {
		name = "float, trained on"
	}
	t.row(name, percent(x.Metric.Top1), fmt.Sprintf("%.4f", x.Metric.Loss), percent(&x.Metric.Agreement),
		fmt.Sprintf("%.2f/%.2f", x.AvgWeightBits, x.AvgActivationBits), count(x.BitOPs), bytesText(x.PackedBytes), "")
	for _, f := range x.Files {
		speed := ""
		if f.FloatImagesPerS > 0 {
			speed = fmt.Sprintf("%.2fx float", f.ImagesPerS/f.FloatImagesPerS)
		}
		t.row("  "+f.Profile+" file", percent(f.Top1), "", "", "", "", "", speed)
	}
	if p := x.Polish; p != nil {
		t.row("  before polish", percent(p.Before.Top1), fmt.Sprintf("%.4f", p.Before.Loss), percent(&p.Before.Agreement), "", "", "", "")
	}
	if !trained {
		t.row(fmt.Sprintf("  uniform %d bit, filled", x.Uniform.Bits), percent(x.Uniform.Top1), "", "", "", count(x.Uniform.BitOPs), "", "")
	}
}

func verdict(f pipeline.File) string {
	if f.Profile == "float" {
		return fmt.Sprintf("outputs differ by at most %.2g from the training engine's on %d samples; %d predictions differ",
			f.MaxAbsDiff, f.SamplesCompared, f.Flips)
	}
	if !f.Verified {
		return fmt.Sprintf("NOT verified: %d of %d codes differ from the simulation, outputs by at most %.3g", f.CodesDifferent, f.CodesCompared, f.MaxAbsDiff)
	}
	by := ""
	if f.ComputedBy != "" {
		by = ", computed by " + f.ComputedBy
	}
	if f.CodesDifferent > 0 {
		return fmt.Sprintf("verified: of %s codes %s differ, by at most %d; of the whole file %d of %d predictions differ, %s%s",
			count(f.CodesCompared), count(f.CodesDifferent), f.MaxCodeDiff, f.Flips, f.SamplesCompared, record.OutputsText(f.Outputs), by)
	}
	return fmt.Sprintf("verified: %s codes compared, 0 differ; %d of %d predictions differ%s", count(f.CodesCompared), f.Flips, f.SamplesCompared, by)
}

// shownOps bounds the operators in float that a table names; the report has them all.
const shownOps = 3

// details say what a file costs and what it does not do on integers.
func details(f pipeline.File) []string {
	var out []string
	if f.Packed && f.Load != nil && f.PlainLoad != nil {
		out = append(out, fmt.Sprintf("weights stored at %.2f bit; loads in %s; the plain file of %s in %s", f.StoredBits,
			loadText(*f.Load), bytesText(f.PlainLength), loadText(*f.PlainLoad)))
	}
	if integer, all, ok := f.Fused(); ok {
		text := fmt.Sprintf("%d operators on 8-bit integers, %d in float", integer, all-integer)
		for i, op := range f.FloatOps {
			if i == shownOps {
				text += "; more in the report"
				break
			}
			text += fmt.Sprintf("%s %s (%s): %s", map[bool]string{true: ":", false: ";"}[i == 0], op.Node, op.Op, op.Reason)
		}
		out = append(out, text)
	}
	if len(f.Limited) > 0 {
		out = append(out, "pairs of 8-bit weights bounded, which could saturate on x86 CPUs without VNNI: "+strings.Join(f.Limited, ", "))
	}
	return out
}

// loadText says what loading takes, without the memory where that is not known.
func loadText(c record.LoadCost) string {
	if c.PeakBytes == 0 {
		return milliseconds(c.Seconds)
	}
	return milliseconds(c.Seconds) + " and " + bytesText(c.PeakBytes) + " at the peak"
}

func milliseconds(s float64) string { return fmt.Sprintf("%.1f ms", 1000*s) }
