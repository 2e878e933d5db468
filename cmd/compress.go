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
		Usage:     "calibrate, train once, then search, export and verify one model per target",
		ArgsUsage: "[MODEL.onnx]",
		Description: `Without a model the workspace in the current folder goes on; without a workspace the embedded example is used. Options
that are not given come from the workspace. A trained supernet is kept unless --retrain is given.

  mpqc compress model.onnx --data images.zip --target 4.0bit --target 3.0bit
  mpqc compress --target 2.5bit --pin conv1=8/8        search again on what was trained
  mpqc compress --epochs 0 --target 6MB                post-training quantization`,
		Flags:  commonFlags(slices.Concat(searchFlags(), widthFlags(), dataFlags(), trainFlags(), []cli.Flag{workspaceFlag()})...),
		Action: runCompress,
	}
}

// searchFlags say what to look for in a trained supernet.
func searchFlags() []cli.Flag {
	return under(whatToMeet,
		&cli.StringSliceFlag{Name: "target", Aliases: []string{"t"}, Usage: "`TARGET` to meet: 4.0bit, 3.5bit (BitOPs at b x b bits), w4.0a8, w3.5a4.5 " +
			"(average bits), 33.9GBitOPs, 6MB (packed size), max-drop=1.0 (least BitOPs within 1.0 points of accuracy), 4.0bit,2MB (both); repeat for several models from one training; default 4.0bit"},
		&cli.StringSliceFlag{Name: "pin", Usage: "hold layers at widths, `NODE=W/A`; * in NODE stands for anything; repeatable"},
		&cli.StringSliceFlag{Name: "cap", Usage: "bound widths of layers, `NODE=W/A`, for example 'layer4.*=4/8'; repeatable"},
		&cli.StringFlag{Name: "policy", Usage: "export the policy in `FILE` instead of searching: an edited copy of search/TARGET.policy"},
		&cli.IntFlag{Name: "search-samples", Usage: "score found policies on `N` training samples, sensitivities on half of them but at least 256; default 512, or as many as there are"},
		&cli.Uint64Flag{Name: "search-seed", Usage: "draw the samples of the search with `N` instead of --seed, to see what depends on them"},
		&cli.IntFlag{Name: "random", Usage: "compare each search with the best of `N` random policies that use the same budget"},
		&cli.IntFlag{Name: "norm-samples", Usage: "re-estimate BatchNorm for a found policy on `N` training samples; default 2048"},
	)
}

func widthFlags() []cli.Flag {
	return under(howToWidth, append(candidateFlags(),
		&cli.StringSliceFlag{Name: "profile", Usage: "dialects of the exported files, a `LIST` of " + strings.Join(options.Profiles(), ", ") + "; default ort"},
		&cli.BoolFlag{Name: "packed", Usage: "store weights at their own width; onnxruntime unpacks them when it loads the file"},
		&cli.StringFlag{Name: "provider", Usage: "where `NAME` = cpu, cuda or tensorrt runs candidates and exported files; default cpu"},
	)...)
}

// candidateFlags say what is quantized, and to what.
func candidateFlags() []cli.Flag {
	return under(howToWidth,
		&cli.StringFlag{Name: "bits", Usage: "candidate widths, `LIST`, default 2,3,4,5,6,8; one number: one uniform width; float: train without quantizers"},
		&cli.StringFlag{Name: "weight-bits", Usage: "candidate widths of weights alone, `LIST`"},
		&cli.StringFlag{Name: "activation-bits", Usage: "candidate widths of activations alone, `LIST`"},
		&cli.StringSliceFlag{Name: "exclude", Usage: "leave `NODES` in float: names or patterns, separated by commas"},
	)
}

func trainFlags() []cli.Flag {
	return under(howToTrain,
		&cli.StringFlag{Name: "effort", Usage: "how long to train: `E` = quick (1 epoch, 400 updates at least), standard (5, 800), paper (30, 5000); default standard"},
		&cli.Float64Flag{Name: "epochs", Usage: "train for `N` passes over the training samples; 0: calibration and search only, post-training quantization"},
		&cli.DurationFlag{Name: "time", Usage: "train for this long, a `DURATION` such as 30m"},
		&cli.StringFlag{Name: "rounding", Usage: "how weights become codes: `HOW` is compensated (weights make up for each other's rounding) or nearest; the supernet stays as it is"},
		&cli.Float64Flag{Name: "polish", Usage: "train each found policy alone for `N` passes more and say what that adds; the supernet stays as it is; 0: give back what was polished before"},
		&cli.IntFlag{Name: "train-samples", Usage: "use `N` training samples per epoch; 0: all"},
		&cli.IntFlag{Name: "calibrate-samples", Usage: "collect ranges on `N` training samples; default 256"},
		&cli.IntFlag{Name: "paths", Usage: "train `N` paths per step, the widest included; default 4"},
		&cli.IntFlag{Name: "batch", Usage: "`N` samples per step; default 64"},
		&cli.Float64Flag{Name: "lr", Usage: "learning `RATE` at the top of its course, of training and of --polish; default: follows from the number of updates, 0.01 from 5000 on, at most 0.0025 for --polish"},
		&cli.StringFlag{Name: "augment", Usage: "`LIST` of flip, crop; or none; default flip,crop"},
		&cli.StringFlag{Name: "ranges", Usage: "`HOW` calibration chooses the first step sizes: mse (least squared error), percentile or minmax; default mse"},
		&cli.StringFlag{Name: "sampling", Usage: "`HOW` random paths are drawn: front (near policies that the calibrated network is good with), tilted (anywhere, one per step leaning to low widths by an amount of chance) or uniform (anywhere); default front"},
		&cli.Float64Flag{Name: "label-smoothing", Usage: "`SHARE` of each label that is spread over all classes; default 0"},
		&cli.Float64Flag{Name: "float-teacher", Usage: "`SHARE` of the float model's outputs in the loss beside the labels, from 0 to below 1; default 0.9"},
		&cli.Uint64Flag{Name: "seed", Usage: "seed of everything random, a whole `NUMBER`; default 1"},
		&cli.DurationFlag{Name: "checkpoint-every", Usage: "save training under way every `DURATION`, all that a crash can cost; default 1m"},
		&cli.StringFlag{Name: "max-memory", Usage: "refuse a run that would take more than `SIZE`, such as 800MB or 4GB, before any work, and say which --batch or --threads would not"},
		&cli.BoolFlag{Name: "retrain", Usage: "throw the trained supernet away and train anew"},
		&cli.BoolFlag{Name: "no-scheduler", Usage: "ablation: draw every width at any time"},
		&cli.BoolFlag{Name: "no-idm", Usage: "ablation: no distance between the lowest width and the widest path"},
		&cli.BoolFlag{Name: "no-damping", Usage: "ablation: do not pull weights toward their levels"},
		&cli.BoolFlag{Name: "no-ema", Usage: "ablation: take the last step, not the moving average"},
		&cli.BoolFlag{Name: "no-kd", Usage: "ablation: random paths do not learn from the widest path"},
		&cli.BoolFlag{Name: "shared-norms", Aliases: []string{"no-switchable-norms"}, Usage: "ablation: one BatchNorm per layer, whatever the widths"},
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
