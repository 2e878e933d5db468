package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// kernelRows are the kernels beside what the machine can do.
func kernelRows(ctx context.Context, r *runner) ([]string, error) {
	const command = "mpqc bench kernels"
	var kernels []struct {
		Kernel, Shape string
		Threads       int
		Rate          float64 `json:"gflops_or_gbs"`
		Share         float64 `json:"share_of_peak"`
	}
	if _, err := r.run(ctx, command, &kernels); err != nil {
		return nil, err
	}
	var rows []string
	for _, k := range kernels {
		rows = append(rows, fmt.Sprintf("| %s | %s | %d | %.1f | %.2f | `%s` |", k.Kernel, k.Shape, k.Threads, k.Rate, k.Share, command))
	}
	return rows, nil
}

// programRows show what programs of the repository print: the last line of one, every line of the other.
func programRows(last bool, command string) func(context.Context, *runner) ([]string, error) {
	return func(ctx context.Context, r *runner) ([]string, error) {
		args := strings.Fields(command)
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Dir = r.repo
		out, err := c.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", command, err, out)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if last {
			lines = lines[len(lines)-1:]
		}
		var rows []string
		for _, line := range lines {
			rows = append(rows, fmt.Sprintf("| %s | `%s` |", line, command))
		}
		return rows, nil
	}
}
