// Hashes prints the SHA-256 of what the program computes: supernet, codes, policies and exported files of the embedded
// example, trained, and of a ResNet-20 with --epochs 0. A change of form alone leaves them as they are: compare the
// output of both commits on one machine.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	program := flag.String("program", "", "PATH of the program; default: that of this folder is built")
	shared := flag.String("shared", "../shared", "folder with models and data")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, *program, *shared)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hashes:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

// profiles are all dialects of exported files.
const profiles = "ort,openvino,trt,qnn,qonnx"

// run does both jobs in a folder of its own, and prints the hashes.
func run(ctx context.Context, w io.Writer, program, shared string) error {
	dir, err := os.MkdirTemp("", "hashes")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if program == "" {
		program = filepath.Join(dir, "mpqc")
		if err := command(ctx, "", "go", "build", "-o", program, "./cmd/mpqc"); err != nil {
			return err
		}
	}
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	if shared, err = filepath.Abs(shared); err != nil {
		return err
	}
	for _, job := range [][]string{
		{"example"},
		{"resnet20", filepath.Join(shared, "models", "resnet20-cifar10.onnx"), "--data", filepath.Join(shared, "data", "cifar10-jpeg.zip"), "--epochs", "0"},
	} {
		space := filepath.Join(dir, job[0]+".mpqc")
		args := append(slices.Clone(job[1:]), "--workspace", space, "--target", "4.0bit", "--target", "w4.0a8", "--profile", profiles, "--quiet")
		if err := command(ctx, dir, program, append([]string{"compress"}, args...)...); err != nil {
			return err
		}
		if err := hashes(w, space); err != nil {
			return err
		}
	}
	return nil
}

// command runs a program whose messages go to stderr.
func command(ctx context.Context, dir, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Stdout, c.Stderr = dir, os.Stderr, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
	}
	return nil
}

// hashes prints those of a workspace, by name. JSON holds times and stamps and is left out.
func hashes(w io.Writer, space string) error {
	found := 0
	err := filepath.WalkDir(space, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, filepath.Join(space, "scores")) {
			return err
		}
		if !slices.Contains([]string{".safetensors", ".onnx", ".policy", ".encodings"}, filepath.Ext(path)) {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found++
		name, err := filepath.Rel(filepath.Dir(space), path)
		fmt.Fprintf(w, "%x  %s\n", sha256.Sum256(data), filepath.ToSlash(name))
		return err
	})
	if err == nil && found == 0 {
		err = errors.New("the workspace holds nothing to hash")
	}
	return err
}
