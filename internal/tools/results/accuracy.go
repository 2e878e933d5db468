package main

import (
	"fmt"
	"strings"
)

// accuracies are trainings of hours. Run them with -dir, one by one: each goes on where it was interrupted.
func accuracies() []section {
	return []section{
		{
			name: "accuracy", title: "One training, every budget: ResNet-20 on CIFAR-10",
			note: "15 epochs, seed 1, final accuracy on the 10,000 test samples. Beside the supernet: the same schedule without quantizers and at one\n" +
				"width, and post-training quantization. The supernet and the networks of 4, 3 and 2 bits had been trained when their rows were made: in\n" +
				"2,100 seconds on one core and 4,300 on two, and in 2,600, 2,500 and 2,300 on one core each, which these leave out.",
			columns: compressColumns,
			units: compress(
				supernet+budgets,
				resnet20+"--workspace float.mpqc --epochs 15 --bits float",
				resnet20+"--workspace uniform4.mpqc --epochs 15 --bits 4",
				resnet20+"--workspace uniform3.mpqc --epochs 15 --bits 3",
				resnet20+"--workspace uniform2.mpqc --epochs 15 --bits 2",
				resnet20+"--workspace post.mpqc --epochs 0"+budgets),
		},
		{
			name: "polish", title: "Found policies trained alone",
			note:    "Two epochs each from the supernet of 15 epochs, which stays as it is. The gain is on the same test samples; seconds are of one policy.",
			columns: []string{"target", "top-1 before", "top-1", "points gained (95 %)", "seconds"},
			units:   []unit{polished()},
		},
		{
			name: "fashion", title: "Fashion-MNIST in full",
			note: "The embedded network on all 60,000 training samples, 4 epochs, seed 1; accuracy on the 10,000 test samples. The files are those of Debian's\n" +
				"package dataset-fashion-mnist.",
			columns: compressColumns,
			units:   compress(fashion("fashion")+budgets, fashion("fashion-float")+" --bits float"),
		},
		{
			name: "families", title: "Two further networks on CIFAR-10",
			note: "Beside each supernet the same network trained on in float for as long. The supernets had been trained when their rows were made, in 8,299 and\n" +
				"5,898 seconds on a core each, which these leave out.",
			columns: compressColumns,
			units: compress(
				family("resnet18-cifar10-64", "resnet18", 3)+" --target 4.0bit --target 3.0bit",
				family("resnet18-cifar10-64", "resnet18-float", 3)+" --bits float",
				family("mobilenetv2-cifar10-64", "mobilenetv2", 6)+" --target 4.0bit --target 3.0bit",
				family("mobilenetv2-cifar10-64", "mobilenetv2-float", 6)+" --bits float"),
		},
		{
			name: "unlabelled", title: "Without labels: EfficientNet-Lite0 on 1,000 samples",
			note: "Half of the samples are held out; agreement is the share of them on which the file predicts what the float model does. First what\n" +
				"onnxruntime's own static quantization reaches, 8/8 with ranges from the same training samples; then mpqc without training, and with\n" +
				"each policy trained alone after that, at the rate that follows from its length and at one that was chosen on other samples: see RATIONALE.",
			columns: []string{"target", "agreement", "before polish", "packed MB", "file MB", "seconds"},
			units: []unit{
				static(),
				agreeing(unlabelled + "--workspace unlabelled.mpqc --epochs 0"),
				agreeing(unlabelled + "--workspace unlabelled.mpqc --epochs 0 --polish 8"),
				agreeing(unlabelled + "--workspace unlabelled.mpqc --epochs 0 --polish 8 --lr 0.0002"),
			},
		},
		{
			name: "ablation", title: "The method less one part",
			note: "ResNet-20, 3 epochs of a quarter of the samples; top-1 on 5,000 training samples kept apart for development. The first rows are all of it.\n" +
				"Networks that had been trained when their rows were made took 470 to 990 seconds on a core, which these leave out.",
			columns: compressColumns,
			units:   compress(ablations()...),
		},
		{
			name: "turbulence", title: "Turbulence with and without the scheduler",
			note: "Two trainings of the table above: the mean over the layers that choose widths, at some of the scheduler's looks, and how many layers lost their lowest width\n" +
				"then.\n\n![Turbulence of each layer over training](internal/tools/results/turbulence.svg)",
			columns: []string{"update", "with", "without", "layers restricted"},
			units:   []unit{turbulence()},
		},
	}
}

// fashion trains the embedded network, which lives in workspaces of its own name, in a folder.
func fashion(folder string) string {
	return fmt.Sprintf("mpqc compress --data /usr/share/datasets/fashion-mnist --workspace %s/example.mpqc --epochs 4", folder)
}

// family trains another network in a workspace.
func family(model, workspace string, epochs int) string {
	return fmt.Sprintf("mpqc compress $S/models/%s.onnx --data $S/data/cifar10-jpeg.zip --epochs %d --workspace %s.mpqc", model, epochs, workspace)
}

// ablations are commands of two seeds for each part that is left out.
func ablations() []string {
	var list []string
	for _, without := range []string{
		"", "--no-switchable-norms", "--no-kd", "--no-scheduler", "--no-idm", "--no-damping", "--no-ema", "--sampling tilted", "--sampling uniform", "--float-teacher 0",
	} {
		for seed := 1; seed <= 2; seed++ {
			list = append(list, ablation(without, seed))
		}
	}
	return list
}

// ablation trains without a part.
func ablation(without string, seed int) string {
	name := strings.ReplaceAll("ablation"+strings.TrimPrefix(without, "-"), " ", "-") // ablation-no-kd
	return strings.TrimSpace(fmt.Sprintf("%s--workspace %s-%d.mpqc --develop 5000 --train-samples 11250 --epochs 3 --seed %d --target 3.0bit --target 2.5bit %s",
		resnet20, name, seed, seed, without))
}

// unlabelled begins the commands without labels.
const unlabelled = "mpqc compress $S/models/efficientnet-lite0-imagenet.onnx --data $S/data/imagenet-sample-1k.zip --no-labels --holdout 0.5 " +
	"--target 8.0bit --target 6.0bit --target w4.0a8 "

// agreeing are the results of a command without labels.
func agreeing(command string) unit {
	return perFile(command, func(_ *compressed, t *target, f *file) []string {
		before := ""
		if t.Polish != nil {
			before = percent(t.Polish.Before.Agreement)
		}
		return []string{t.Target, percent(t.Metric.Agreement), before, fmt.Sprintf("%.3f", t.PackedBytes/1e6), fmt.Sprintf("%.3f", float64(f.Bytes)/1e6)}
	})
}

// static reads "NAME: AGREEMENT agreement, BYTES bytes".
func static() unit {
	return tested("MPQC_PYTHON=bin/clients/bin/python", "TestAgreementBesideStatic", "./pipeline", "static: ", func(line string) ([]string, error) {
		var share float64
		var size int
		name, figures, _ := strings.Cut(line, ": ")
		_, err := fmt.Sscanf(figures, "%f agreement, %d bytes", &share, &size)
		return []string{"onnxruntime 8/8, " + name, percent(share), "", "", fmt.Sprintf("%.3f", float64(size)/1e6), ""}, err
	})
}
