package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// compressed is the part of `compress --json` that the tables show.
type compressed struct {
	Float   struct{ Top1 float64 }
	Seconds map[string]float64
	Results []struct {
		Target      string
		PackedBytes float64 `json:"packed_bytes"`
		BitOPs      float64 `json:"bitops"`
		Metric      struct{ Top1 float64 }
		Uniform     struct {
			Top1 float64
		}
		Files []struct {
			Bytes      int64
			Top1       float64
			Flips      int
			MaxAbsDiff float64 `json:"max_abs_diff"`
			Verified   bool
			Rate       float64 `json:"images_per_s"`
			FloatRate  float64 `json:"float_images_per_s"`
		}
	}
}

// sections are all tables in the order of the file.
func sections() []section {
	return slices.Concat(jobs(), engine(), searches(), trials())
}

// jobs are whole commands and their accuracy.
func jobs() []section {
	return []section{
		{
			name: "agreement", title: "Forward agreement with onnxruntime",
			note:   "Largest absolute difference of logits between the engine and onnxruntime on the same input.",
			header: "| model | max abs difference | command |\n|---|---|---|",
			rows:   agreementRows,
		},
		{
			name: "example", title: "The embedded example",
			note:   "Whole job on Fashion-MNIST pictures, one training, two cores.",
			header: compressHeader,
			rows:   compressRows("mpqc compress --target 4.0bit"),
		},
		{
			name: "speed", title: "Speed beside onnxruntime's own quantization",
			note:   "Files of profile ort, one thread, in turn with the float model and onnxruntime's static quantization of it (QDQ, per channel), medians.",
			header: "| model | bits w/a | of float | of static | command |\n|---|---|---|---|---|",
			rows:   speedRows,
		},
		{
			name: "resnet20", title: "ResNet-20 on CIFAR-10, one epoch",
			note:   "BatchNorm folded (first) and kept (second); final accuracy on the 10,000 test pictures.",
			header: compressHeader,
			rows: compressRows(
				"mpqc compress $S/models/resnet20-cifar10.onnx --data $S/data/cifar10-jpeg.zip --target 4.0bit --epochs 1",
				"mpqc compress $S/models/resnet20-cifar10-bn.onnx --data $S/data/cifar10-jpeg.zip --target 4.0bit --epochs 1"),
		},
		{
			name: "accuracy", title: "One training, every budget: ResNet-20 on CIFAR-10",
			note: "15 epochs, seed 1. Beside the supernet: the same schedule without quantizers and at one width, and post-training quantization.\n" +
				"Run it with -dir: trainings go on where they were interrupted.",
			header: compressHeader,
			rows: compressRows(
				accuracyRun+"--workspace resnet20.mpqc --epochs 15"+budgets,
				accuracyRun+"--workspace float.mpqc --epochs 15 --bits float",
				accuracyRun+"--workspace uniform4.mpqc --epochs 15 --bits 4",
				accuracyRun+"--workspace uniform3.mpqc --epochs 15 --bits 3",
				accuracyRun+"--workspace uniform2.mpqc --epochs 15 --bits 2",
				accuracyRun+"--workspace post.mpqc --epochs 0"+budgets),
		},
	}
}

// engine is the speed of training.
func engine() []section {
	return []section{
		{
			name: "engine", title: "The training step",
			note: "Median step of three runs of four paths with the default recipe, on noise; GFLOP/s count 2 x MACs x 3 per path and picture, forward and both backwards alone.\n" +
				"Beside it, in turn, a well-written PyTorch step (the better of eager and compiled element-wise work) on the same cores.",
			header: "| model | batch | threads | ms/step | GFLOP/s | of peak | peak RSS MB | PyTorch ms/step | times faster | PyTorch RSS MB | command |\n|---|---|---|---|---|---|---|---|---|---|---|",
			rows:   engineRows,
		},
		{
			name: "kernels", title: "Kernels",
			note: "GFLOP/s as a share of the peak of fused multiply-adds on as many cores, or GB/s as a share of the bandwidth of a copy\n" +
				"with streaming stores; bytes count once per tensor read or written. Integers exceed the float peak.",
			header: "| kernel | shape | threads | GFLOP/s or GB/s | share | command |\n|---|---|---|---|---|---|",
			rows:   kernelRows,
		},
	}
}

// searches are what comes after training.
func searches() []section {
	return []section{
		{
			name: "search", title: "Search",
			note: "ResNet-20 after one epoch. Losses are distances to the widest policy: of the search, of the best of 50 random policies that\n" +
				"use the same budget, and of found and uniform policy on 2,048 other training pictures.\n\n" +
				"![Loss over BitOPs](internal/results/front.svg)",
			header: "| target | search loss | best of 50 random | loss elsewhere | uniform elsewhere | gain (95 %) | top-1 | uniform top-1 | evaluations | command |\n|---|---|---|---|---|---|---|---|---|---|",
			rows:   searchRows,
		},
		{
			name: "cost", title: "What a search costs",
			note: "In seconds: one target, five in one run, one more. ResNet-18 and MobileNetV2 after calibration alone, which costs a search the same.\n" +
				"Verification runs the exact simulation on the 10,000 test pictures.",
			header: "| model | targets | search | verify | whole command | command |\n|---|---|---|---|---|---|",
			rows:   costRows,
		},
	}
}

// trials are what the program endures.
func trials() []section {
	return []section{
		{
			name: "size", title: "A model beyond 2 GiB",
			note:   "Peak of the resident memory of each command; mapped pages of the weights count.",
			header: "| command and memory | command |\n|---|---|",
			rows:   programRows(false, "go run ./internal/big"),
		},
		{
			name: "soak", title: "The example's job over and over in one process",
			note:   "Slopes per minute after the first third.",
			header: "| result | command |\n|---|---|",
			rows:   programRows(true, "go run ./internal/soak -for 15m"),
		},
	}
}

const accuracyRun = "mpqc compress $S/models/resnet20-cifar10.onnx --data $S/data/cifar10-jpeg.zip "

const compressHeader = "| target | float top-1 | top-1 (simulation) | top-1 (file) | uniform top-1 | GBitOPs | packed MB | file MB | flips | speed vs float | seconds | command |\n" +
	"|---|---|---|---|---|---|---|---|---|---|---|---|"

func compressRows(commands ...string) func(context.Context, *runner) ([]string, error) {
	return func(ctx context.Context, r *runner) ([]string, error) {
		var rows []string
		for _, command := range commands {
			var c compressed
			took, err := r.run(ctx, command, &c)
			if err != nil {
				return nil, err
			}
			for _, t := range c.Results {
				for _, f := range t.Files {
					rows = append(rows, fmt.Sprintf("| %s | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %.3f | %.3f | %.3f | %d | %.2fx | %.0f | `%s` |",
						t.Target, 100*c.Float.Top1, 100*t.Metric.Top1, 100*f.Top1, 100*t.Uniform.Top1, t.BitOPs/1e9, t.PackedBytes/1e6,
						float64(f.Bytes)/1e6, f.Flips, f.Rate/max(f.FloatRate, 1e-9), took.Seconds(), command))
				}
			}
		}
		return rows, nil
	}
}

// speedRows reads "MODEL W/A bit: 1.00x float, 1.00x static (...)".
func speedRows(ctx context.Context, r *runner) ([]string, error) {
	const command = "MPQC_PYTHON=bin/clients/bin/python go test -v -run TestSpeedBesideStatic ./export"
	lines, err := r.goTest(ctx, "./export", "TestSpeedBesideStatic", "speed: ")
	if err != nil {
		return nil, err
	}
	var rows []string
	for _, l := range lines {
		subject, rates, _ := strings.Cut(l, ": ")
		model, bits, _ := strings.Cut(subject, " ")
		float, static, _ := strings.Cut(rates, ", ")
		static, _, _ = strings.Cut(static, " (")
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | `%s` |", model, strings.TrimSuffix(bits, " bit"), strings.TrimSuffix(float, " float"), strings.TrimSuffix(static, " static"), command))
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s printed no speeds; make clients installs the interpreter", command)
	}
	return rows, nil
}

func agreementRows(ctx context.Context, r *runner) ([]string, error) {
	const command = "go test -v -run TestForwardAgreement ./internal/engine/decode"
	lines, err := r.goTest(ctx, "./internal/engine/decode", "TestForwardAgreement", "agreement: ")
	if err != nil {
		return nil, err
	}
	var rows []string
	for _, l := range lines {
		model, diff, _ := strings.Cut(l, " ")
		rows = append(rows, fmt.Sprintf("| %s | %s | `%s` |", model, diff, command))
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s printed no agreement lines", command)
	}
	return rows, nil
}
