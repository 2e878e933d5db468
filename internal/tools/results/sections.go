package main

import "slices"

// sections are all tables in the order of the file.
func sections() []section {
	return slices.Concat(jobs(), accuracies(), engine(), searches(), trials())
}

// jobs are whole commands.
func jobs() []section {
	return []section{
		{
			name: "agreement", title: "Forward agreement with onnxruntime",
			note:    "Largest absolute difference of logits between the engine and onnxruntime on the same input.",
			columns: []string{"model", "max abs difference"},
			units:   []unit{agreement()},
		},
		{
			name: "example", title: "The embedded example",
			note:    "Whole job on Fashion-MNIST samples, one training, two cores.",
			columns: compressColumns,
			units:   compress("mpqc compress --target 4.0bit"),
		},
		{
			name: "speed", title: "Speed beside onnxruntime's own quantization",
			note:    "Files of profile ort, one thread, in turn with the float model and onnxruntime's static quantization of it (QDQ, per channel), medians.",
			columns: []string{"model", "bits w/a", "of float", "of static"},
			units:   []unit{speed()},
		},
		{
			name: "runtimes", title: "Files in their runtimes, with and without VNNI",
			note: "Top-1 of a ResNet-20 after calibration alone on 3,000 CIFAR-10 test samples: as the file says (onnxruntime without optimizations), and in\n" +
				"onnxruntime 1.32 and OpenVINO 2026.4, each with the kernels of this CPU (AVX-512 with VNNI) and with those of one without AVX-512 (a library that is told\n" +
				"that the system saves no such registers; ONEDNN_MAX_CPU_ISA=AVX2). The standard error of a row is 0.6 points, that of differences 0.2 or less.",
			columns: []string{"target", "profile", "as written", "onnxruntime", "onnxruntime, AVX2", "OpenVINO", "OpenVINO, AVX2"},
			units:   []unit{runtimes()},
		},
		{
			name: "resnet20", title: "ResNet-20 on CIFAR-10, one epoch",
			note:    "BatchNorm folded (first) and kept (second); final accuracy on the 10,000 test samples.",
			columns: compressColumns,
			units: compress(
				resnet20+"--target 4.0bit --epochs 1",
				"mpqc compress $S/models/resnet20-cifar10-bn.onnx --data $S/data/cifar10-jpeg.zip --target 4.0bit --epochs 1"),
		},
	}
}

// resnet20 begins the commands on that network.
const resnet20 = "mpqc compress $S/models/resnet20-cifar10.onnx --data $S/data/cifar10-jpeg.zip "

// engine is the speed of training.
func engine() []section {
	return []section{
		{
			name: "engine", title: "The training step",
			note: "Median step of three runs of four paths with the default recipe, on noise; GFLOP/s count 2 x MACs x 3 per path and sample, forward and both backwards alone.\n" +
				"Beside it, in turn, a well-written PyTorch step (the better of eager and compiled element-wise work) on the same cores.",
			columns: []string{"model", "batch", "threads", "ms/step", "GFLOP/s", "of peak", "peak RSS MB", "PyTorch ms/step", "times faster", "PyTorch RSS MB"},
			units:   steps(),
		},
		{
			name: "kernels", title: "Kernels",
			note: "GFLOP/s as a share of the peak of fused multiply-adds of that instruction set on as many cores, or GB/s as a share of the\n" +
				"bandwidth of a copy; bytes count once per tensor read or written, twice where sums over it come first (norm backward).\n" +
				"Integers exceed the float peak.",
			columns: []string{"kernel", "shape", "isa", "threads", "GFLOP/s or GB/s", "share"},
			units:   []unit{kernels("mpqc bench kernels"), kernels("GODEBUG=cpu.avx512f=off mpqc bench kernels")},
		},
	}
}

// searches are what comes after training. Run them with the -dir of section accuracy, else they train for hours.
func searches() []section {
	return []section{
		{
			name: "search", title: "Search",
			note: "The supernet of 15 epochs. Losses are distances to the widest policy: of the search, of the best of 50 random policies that\n" +
				"use the same budget, and of found and uniform policy on 2,048 samples that neither training nor search saw.\n\n" +
				"![Loss over BitOPs](internal/tools/results/front.svg)",
			columns: []string{"target", "search loss", "best of 50 random", "loss elsewhere", "uniform elsewhere", "gain (95 %)", "top-1", "uniform top-1", "points gained (95 %)", "evaluations"},
			units:   []unit{searched()},
		},
		{
			name: "redrawn", title: "The search on other samples",
			note:    "The same supernet, searched on 512 training samples drawn anew for each seed; the table above has those of seed 1.",
			columns: []string{"search seed", "target", "top-1", "uniform top-1", "points gained (95 %)"},
			units:   []unit{redrawn(2), redrawn(3)},
		},
		{
			name: "cost", title: "What a search costs",
			note: "In seconds: one target, five in one run, one more. ResNet-18 and MobileNetV2 after calibration alone, which costs a search the same.\n" +
				"Verification runs the file on the 10,000 test samples, and the exact simulation on as many as 5e11 multiply-accumulates allow.",
			columns: []string{"model", "targets", "search", "verify", "whole command"},
			units:   costs(),
		},
	}
}

// trials are what the program endures.
func trials() []section {
	return []section{
		{
			name: "data", title: "Reading samples",
			note: "What decoding and augmenting ahead costs of a training step, in core time and in time that training waits for it, and the peak of\n" +
				"the resident memory of eval on archives of more and more samples.",
			columns: []string{"what", "measured", "share of a step"},
			units:   reading(),
		},
		{
			name: "attacks", title: "Hostile and awkward input",
			note:    "Tests of what nobody should bring, and how many tries each makes. Right is an error that names the cause, or the right result; nothing hangs, panics or is left behind.",
			columns: []string{"what is tried", "tries", "right"},
			units:   attacks(),
		},
		{
			name: "corruption", title: "Bits flipped and files cut off",
			note: "One bit flipped or the end cut off, at random places of all files of a small workspace in every stage, then the command goes on. None ends in another\n" +
				"exported file or a panic. The second part has workspaces of programs that recorded no hashes.",
			columns: []string{"artifact", "error that names it", "made anew", "same bytes"},
			units:   []unit{corruption()},
		},
		{
			name: "size", title: "A model beyond 2 GiB",
			note:    "Peak of the resident memory of each command; mapped pages of the weights count.",
			columns: []string{"command and memory"},
			units:   []unit{program(false, "go run ./internal/tools/big")},
		},
		{
			name: "soak", title: "The example's job over and over in one process",
			note:    "Slopes per minute after the first third.",
			columns: []string{"result"},
			units:   []unit{program(true, "go run ./internal/tools/soak -for 15m")},
		},
		{
			name: "checkpoints", title: "What checkpoints cost",
			note:    "Share of the time of training, checkpoints every minute (the default) and as often as the bound of one percent lets them be.",
			columns: []string{"training s", "checkpoints s", "share"},
			units: saving(
				resnet20+"--workspace checkpoints.mpqc --retrain --epochs 0.5",
				resnet20+"--workspace checkpoints.mpqc --retrain --epochs 0.5 --checkpoint-every 1ms"),
		},
	}
}
