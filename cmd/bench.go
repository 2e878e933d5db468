package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/internal/bench"
	"github.com/mpqc/mpqc/pipeline"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure a training step, each kernel as a share of this machine's peak, or the search",
		ArgsUsage: "train|kernels|search",
		Description: "bench train times the training step of compress with its default recipe on noise and shows each part.\n" +
			"bench kernels times each kernel on one core and on all cores.\n" +
			"bench search times evaluations of random policies of a trained workspace.",
		Flags: commonFlags(
			&cli.StringFlag{Name: "model", Usage: "train: `PATH` of an ONNX file"},
			&cli.IntFlag{Name: "batch", Usage: "train: `N` samples per step", Value: 64},
			&cli.IntFlag{Name: "paths", Usage: "train: `N` paths per step, the widest one included", Value: 4},
			&cli.IntFlag{Name: "steps", Usage: "train: measure `N` steps. 0: as many as fit into --seconds"},
			&cli.Float64Flag{Name: "seconds", Usage: "train: measure for about `S` seconds", Value: 10},
			&cli.IntFlag{Name: "evaluations", Usage: "search: score `N` policies", Value: 32},
			&cli.StringFlag{Name: "target", Usage: "search: score policies of one `TARGET`, and report how reliable the scores are"},
			&cli.IntFlag{Name: "search-samples", Usage: "search: use the samples that a search with `N` samples uses for sensitivities. Default 512"},
			workspaceFlag(),
		),
		Action: runBench,
	}
}

// benchFlags says which measurement a flag belongs to.
var benchFlags = map[string]string{
	"model": "train", "batch": "train", "paths": "train", "steps": "train", "seconds": "train",
	"evaluations": "search", "workspace": "search", "target": "search", "search-samples": "search",
}

func runBench(c *cli.Context) error {
	what, err := oneArgument(c, "measurement", true)
	if err != nil {
		return err
	}
	for name, of := range benchFlags {
		if c.IsSet(name) && of != what {
			return usagef("bench %s has no --%s", what, name)
		}
	}
	switch what {
	case "train":
		return benchTrain(c)
	case "kernels":
		return benchKernels(c)
	case "search":
		return benchSearch(c)
	default:
		return usagef("bench measures train, kernels or search, not %q", what)
	}
}

func benchTrain(c *cli.Context) error {
	o := bench.TrainOptions{
		Batch: c.Int("batch"), Paths: c.Int("paths"), Threads: c.Int("threads"), Steps: c.Int("steps"),
		Time: time.Duration(c.Float64("seconds") * float64(time.Second)),
	}
	if c.String("model") == "" {
		return usagef("bench train needs --model")
	}
	r, err := bench.Train(c.Context, c.String("model"), o)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, pipeline.ErrIrregular) {
		return usagef("--model: %v", err)
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, r)
	}
	return printTrain(c.App.Writer, r)
}

func printTrain(w io.Writer, r *bench.TrainResult) error {
	printMachine(w, r.Machine, r.ISA, r.Threads)
	t := newTable("steps", "ms/step", "samples", "GFLOP/s", "of peak", "peak memory", "MACs/sample")
	t.row(count(int64(r.Steps)), fmt.Sprintf("%.1f", r.MSPerStep), rate(r.ImagesPerS), fmt.Sprintf("%.1f", r.GFLOPS),
		percent(&r.FractionOfPeak), fmt.Sprintf("%.0f MB", r.PeakRSSMB), count(r.MACsPerImage))
	if err := t.write(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable("part of a step", "", "ms", "share")
	var sum float64
	for _, p := range r.Parts {
		way := ""
		if p.Backward {
			way = "backward"
		}
		t.row(p.Kind, way, fmt.Sprintf("%.2f", p.MS), percent(&p.Share))
		sum += p.Share
	}
	t.rule()
	t.row("sum", "", "", percent(&sum))
	return t.write(w)
}

// printMachine says what shares refer to.
func printMachine(w io.Writer, m bench.Machine, isa string, threads int) {
	fmt.Fprintf(w, "this machine: %.0f GFLOP/s fused multiply-add, %.0f GB/s copy, %s, threads: %d\n\n", m.GFLOPS, m.GBS, isa, threads)
}

func benchSearch(c *cli.Context) error {
	var o pipeline.Options
	if err := bind(c, &o); err != nil {
		return err
	}
	r, err := pipeline.BenchSearch(c.Context, o, c.Int("evaluations"))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.App.Writer, r)
	}
	t := newTable("evaluations", "at a time", "samples", "ms/evaluation", "samples/s", "inside onnxruntime")
	t.row(fmt.Sprint(r.Evaluations), fmt.Sprint(r.Lanes), fmt.Sprint(r.Samples), fmt.Sprintf("%.1f", r.MSPerEvaluation),
		rate(r.ImagesPerS), percent(&r.RuntimeShare))
	if err := t.write(c.App.Writer); err != nil || r.Reliability == nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "\ncorrelation of scores on two halves of the samples: loss %.2f", r.Reliability.Loss)
	if top1 := r.Reliability.Top1; top1 != nil {
		fmt.Fprintf(c.App.Writer, ", top-1 %.2f", *top1)
	}
	fmt.Fprintln(c.App.Writer)
	return nil
}

func benchKernels(c *cli.Context) error {
	list, err := bench.Kernels(c.Context, c.Int("threads"))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		var rows []bench.KernelResult
		for _, k := range list {
			rows = append(rows, k.Rows...)
		}
		return writeJSON(c.App.Writer, rows)
	}
	for i, k := range list {
		if i > 0 {
			fmt.Fprintln(c.App.Writer)
		}
		printMachine(c.App.Writer, k.Machine, k.Rows[0].ISA, k.Threads)
		t := newTable("kernel", "shape", "rate", "", "of peak")
		for _, r := range k.Rows {
			t.row(r.Kernel, r.Shape, fmt.Sprintf("%.1f", r.Rate), r.Unit, percent(&r.ShareOfPeak))
		}
		if err := t.write(c.App.Writer); err != nil {
			return err
		}
	}
	return nil
}
