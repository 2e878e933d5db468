//go:build unix

// Command big takes a model with more weights than a protobuf message can hold, big Convs and big Gemms, through import
// and doctor, each a process of its own, and imports what was saved once more. It fails if one needs much more memory
// than the weights take once, or if weights come back other than they were.
//
//	go run ./internal/tools/big
//
// The weights lie in a sparse file beside the model, in a temporary folder; import writes them out in full.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func main() {
	layers := flag.Int("layers", 33, "number of Convs and Gemms of 67 MB each")
	bound := flag.Float64("bound", 1.5, "largest peak of the resident memory, as a multiple of the weights")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := check(ctx, os.Stdout, *layers, *bound)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "big:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

func check(ctx context.Context, out io.Writer, layers int, bound float64) error {
	dir, err := os.MkdirTemp("", "mpqc-big-")
	if err != nil {
		return fmt.Errorf("make a folder for the model: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "mpqc")
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/mpqc").CombinedOutput(); err != nil {
		return fmt.Errorf("build mpqc: %w: %s", err, text)
	}
	model := filepath.Join(dir, "big.onnx")
	weights, err := write(model, layers)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d layers, %.0f MB of weights\n", layers, float64(weights)/1e6)
	written, again := filepath.Join(dir, "big.mpqc", "float.onnx"), filepath.Join(dir, "again.mpqc", "float.onnx")
	var failed []error
	for _, args := range [][]string{{"import", model}, {"doctor", model}, {"import", written, "--workspace", filepath.Dir(again)}} {
		failed = append(failed, run(ctx, out, dir, program, float64(weights), bound, args...))
	}
	for _, saved := range []string{written, again} {
		failed = append(failed, compare(model, saved))
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "all weights came back as they were, twice")
	return err
}

// run is one command in a process of its own, whose peak of resident memory the system tells.
func run(ctx context.Context, out io.Writer, dir, program string, weights, bound float64, args ...string) error {
	var said bytes.Buffer
	c := exec.CommandContext(ctx, program, args...)
	c.Dir, c.Stdout, c.Stderr = dir, &said, &said
	start := time.Now()
	if err := c.Run(); err != nil {
		return fmt.Errorf("mpqc %s: %w\n%s", args[0], err, said.Bytes())
	}
	usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("the system does not tell the peak of the resident memory")
	}
	unit := 1024.0 // Linux counts kilobytes
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	ratio := float64(usage.Maxrss) * unit / weights
	fmt.Fprintf(out, "mpqc %-8s %6.1f s  peak %6.0f MB, %.2f times the weights\n", args[0], time.Since(start).Seconds(), ratio*weights/1e6, ratio)
	if ratio > bound {
		return fmt.Errorf("mpqc %s takes %.2f times the weights, more than %.2f", args[0], ratio, bound)
	}
	return nil
}
