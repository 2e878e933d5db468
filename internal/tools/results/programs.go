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

// tested makes a row of each line that a test logs behind a mark. Settings of the environment stand in front of the
// command.
func tested(settings, test, pkg, mark string, cells func(line string) ([]string, error)) unit {
	command := strings.TrimSpace(settings + " go test -v -run " + test + " " + pkg)
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		lines, err := r.goTest(ctx, pkg, test, mark)
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, l := range lines {
			list, err := cells(l)
			if err != nil {
				return nil, fmt.Errorf("%s printed %q: %w", command, l, err)
			}
			rows = append(rows, r.row(command, list...))
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("%s printed no %q; make clients installs the interpreter", command, mark)
		}
		return rows, nil
	}}
}

// speed reads "MODEL W/A bit: 1.00x float, 1.00x static (...)".
func speed() unit {
	return tested("MPQC_PYTHON=bin/clients/bin/python", "TestSpeedBesideStatic", "./export", "speed: ", func(line string) ([]string, error) {
		subject, rates, _ := strings.Cut(line, ": ")
		model, bits, _ := strings.Cut(subject, " ")
		float, static, _ := strings.Cut(rates, ", ")
		static, _, _ = strings.Cut(static, " (")
		return []string{model, strings.TrimSuffix(bits, " bit"), strings.TrimSuffix(float, " float"), strings.TrimSuffix(static, " static")}, nil
	})
}

// runtimes reads "TARGET | PROFILE | 88.50 % | ...".
func runtimes() unit {
	return tested("MPQC_PYTHON=bin/clients/bin/python", "TestRuntimes", "./pipeline", "runtimes: ", func(line string) ([]string, error) {
		return strings.Split(line, " | "), nil
	})
}

// agreement reads "MODEL DIFFERENCE".
func agreement() unit {
	return tested("", "TestForwardAgreement", "./internal/engine/decode", "agreement: ", func(line string) ([]string, error) {
		model, diff, _ := strings.Cut(line, " ")
		return []string{model, diff}, nil
	})
}
