package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// runner builds mpqc once and runs it in a folder of its own, empty unless workspaces are kept.
type runner struct {
	shared, repo, dir, binary string
	commit, machine           string
	keep                      bool
}

func newRunner(ctx context.Context, shared, dir string) (*runner, error) {
	repo, err := git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	commit, err := commit(ctx)
	if err != nil {
		return nil, err
	}
	r := &runner{shared: shared, repo: repo, commit: commit, machine: machine(), keep: dir != ""}
	if r.keep {
		r.dir, err = filepath.Abs(dir)
	} else {
		r.dir, err = os.MkdirTemp("", "mpqc-results-*")
	}
	if err != nil {
		return nil, err
	}
	r.binary = filepath.Join(r.dir, "mpqc")
	build := exec.CommandContext(ctx, "go", "build", "-o", r.binary, "./cmd/mpqc")
	build.Dir = repo
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build mpqc: %w\n%s", err, out)
	}
	return r, nil
}

// commit names what is measured, with a mark where that is not what was committed. Measurements themselves do not
// count.
func commit(ctx context.Context) (string, error) {
	name, err := git(ctx, "describe", "--always")
	if err != nil {
		return "", err
	}
	changed, err := git(ctx, "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)RESULTS.md", ":(exclude,top)internal/tools/results/*.svg")
	if err != nil {
		return "", err
	}
	if changed != "" {
		name += "-dirty"
	}
	return name, nil
}

func (r *runner) close() {
	if !r.keep {
		_ = os.RemoveAll(r.dir)
	}
}

// run executes "mpqc ..." with $S replaced by the shared folder, decodes its JSON into v and returns the wall time.
// Settings of the environment may stand in front.
func (r *runner) run(ctx context.Context, command string, v any) (time.Duration, error) {
	start := time.Now()
	_, err := r.execute(ctx, command, v)
	return time.Since(start), err
}

// execute is run for what the system tells of the process.
func (r *runner) execute(ctx context.Context, command string, v any) (*os.ProcessState, error) {
	args := strings.Fields(strings.ReplaceAll(command, "$S", r.shared))
	program := slices.Index(args, "mpqc")
	c := exec.CommandContext(ctx, r.binary, append(args[program+1:], "--json")...)
	c.Env = append(os.Environ(), args[:program]...)
	var out bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = r.dir, &out, os.Stderr
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	if err := json.Unmarshal(out.Bytes(), v); err != nil {
		return nil, fmt.Errorf("%s: decode its JSON: %w", command, err)
	}
	return c.ProcessState, nil
}

// row is a line made here and now.
func (r *runner) row(command string, cells ...string) row {
	return row{cells, run{command, r.commit + ", " + r.machine}}
}

// goTest runs a test of the repository and returns its log lines that contain mark.
func (r *runner) goTest(ctx context.Context, pkg, name, mark string) ([]string, error) {
	c := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", name, pkg)
	c.Dir = r.repo
	out, err := c.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test %s: %w\n%s", pkg, err, out)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if _, found, ok := strings.Cut(line, mark); ok {
			lines = append(lines, strings.TrimSpace(found))
		}
	}
	return lines, nil
}

// machine describes the processor in a line.
func machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name\t: "); ok {
			model, _, _ = strings.Cut(rest, "\n")
		}
	}
	return fmt.Sprintf("%s, %d cores, %s", model, runtime.NumCPU(), runtime.Version())
}
