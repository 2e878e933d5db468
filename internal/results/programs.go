package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// kernels are the kernels beside what the machine can do.
func kernels(command string) unit {
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		var list []struct {
			Kernel, Shape, ISA string
			Threads            int
			Rate               float64 `json:"gflops_or_gbs"`
			Share              float64 `json:"share_of_peak"`
		}
		if _, err := r.run(ctx, command, &list); err != nil {
			return nil, err
		}
		var rows []row
		for _, k := range list {
			rows = append(rows, r.row(command, k.Kernel, k.Shape, k.ISA, fmt.Sprint(k.Threads), fmt.Sprintf("%.1f", k.Rate), fmt.Sprintf("%.2f", k.Share)))
		}
		return rows, nil
	}}
}

// program shows what a program of the repository prints: its last line or all of them.
func program(last bool, command string) unit {
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
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
		var rows []row
		for _, line := range lines {
			rows = append(rows, r.row(command, line))
		}
		return rows, nil
	}}
}

// speed reads "MODEL W/A bit: 1.00x float, 1.00x static (...)".
func speed() unit {
	const command = "MPQC_PYTHON=bin/clients/bin/python go test -v -run TestSpeedBesideStatic ./export"
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		lines, err := r.goTest(ctx, "./export", "TestSpeedBesideStatic", "speed: ")
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, l := range lines {
			subject, rates, _ := strings.Cut(l, ": ")
			model, bits, _ := strings.Cut(subject, " ")
			float, static, _ := strings.Cut(rates, ", ")
			static, _, _ = strings.Cut(static, " (")
			rows = append(rows, r.row(command, model, strings.TrimSuffix(bits, " bit"), strings.TrimSuffix(float, " float"), strings.TrimSuffix(static, " static")))
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("%s printed no speeds; make clients installs the interpreter", command)
		}
		return rows, nil
	}}
}

// agreement reads "MODEL DIFFERENCE".
func agreement() unit {
	const command = "go test -v -run TestForwardAgreement ./internal/engine/decode"
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		lines, err := r.goTest(ctx, "./internal/engine/decode", "TestForwardAgreement", "agreement: ")
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, l := range lines {
			model, diff, _ := strings.Cut(l, " ")
			rows = append(rows, r.row(command, model, diff))
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("%s printed no agreement lines", command)
		}
		return rows, nil
	}}
}
