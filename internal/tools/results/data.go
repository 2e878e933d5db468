package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// reading measures the loader and what samples take in memory.
func reading() []unit {
	units := []unit{loading(), waiting()}
	for _, n := range []int{1000, 10_000, 100_000} {
		units = append(units, archived(n))
	}
	return units
}

// loading sets the loader's time for a sample against that of a training step, both in time of one core.
func loading() unit {
	const command = "go test -run ^$ -bench BenchmarkBatch/CIFAR-10$ ./models/dataset"
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		const batch = 128
		var s step
		if _, err := r.run(ctx, fmt.Sprintf("mpqc bench train --model $S/models/resnet20-cifar10.onnx --batch %d --paths 4", batch), &s); err != nil {
			return nil, err
		}
		args := strings.Fields(command)
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Dir = r.repo
		c.Env = append(os.Environ(), "MPQC_SHARED="+r.shared, "MPQC_REQUIRE_SHARED=1")
		out, err := c.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", command, err, out)
		}
		ns, err := perOperation(string(out))
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", command, err, out)
		}
		own, whole := ns/1000, 1000*s.MS/batch*float64(s.Threads)
		return []row{r.row(command, "loader, a CIFAR-10 sample: decode, flip, crop, normalise",
			fmt.Sprintf("%.1f µs of a core; the step of a ResNet-20 %.0f µs", own, whole), percent(own/whole))}, nil
	}}
}

// perOperation reads the nanoseconds of an operation from what a benchmark prints.
func perOperation(text string) (float64, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		for i := 1; i < len(fields); i++ {
			var ns float64
			if _, err := fmt.Sscan(fields[i-1], &ns); fields[i] == "ns/op" && err == nil {
				return ns, nil
			}
		}
	}
	return 0, errors.New("it prints no ns/op")
}

// waiting trains an epoch in a workspace of its own.
func waiting() unit {
	const command = resnet20 + "--workspace resnet20-epoch.mpqc --epochs 1 --retrain --target 8.0bit"
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		var c compressed
		if _, err := r.run(ctx, command, &c); err != nil {
			return nil, err
		}
		waited, trained := c.Seconds["waiting"], c.Seconds["train"]
		return []row{r.row(command, "training waits for samples, an epoch of CIFAR-10", fmt.Sprintf("%.2f of %.0f s", waited, trained),
			percent(waited/trained))}, nil
	}}
}

// archived measures eval on an archive of n samples.
func archived(n int) unit {
	name := fmt.Sprintf("pictures-%d.zip", n)
	command := "mpqc eval $S/models/resnet20-cifar10.onnx --data " + name + " --split all"
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		if err := repack(filepath.Join(r.shared, "data", "cifar10-jpeg.zip"), filepath.Join(r.dir, name), n); err != nil {
			return nil, err
		}
		var e struct{ N int }
		state, err := r.execute(ctx, command, &e)
		if err != nil {
			return nil, err
		}
		if e.N != n {
			return nil, fmt.Errorf("%s: %d samples were measured", command, e.N)
		}
		peak, err := peakMB(state)
		if err != nil {
			return nil, err
		}
		return []row{r.row(command, fmt.Sprintf("eval on a zip of %d samples, peak RSS", n), fmt.Sprintf("%.0f MB", peak), "")}, nil
	}}
}

// repack writes an archive of n samples in class folders: those of another one, over and over.
func repack(from, to string, n int) (err error) {
	in, err := zip.OpenReader(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := zip.NewWriter(f)
	for i := range n {
		e := in.File[i*7919%len(in.File)] // a prime, so that all classes take part: the archive is sorted by them
		h := e.FileHeader
		h.Name = fmt.Sprintf("%s/%06d.jpg", path.Base(path.Dir(e.Name)), i)
		w, err := out.CreateRaw(&h)
		if err != nil {
			return err
		}
		r, err := e.OpenRaw()
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
	return out.Close()
}
