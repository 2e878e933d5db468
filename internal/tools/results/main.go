// Command results runs the commands whose numbers stand in RESULTS.md and writes that file anew.
//
//	go run ./internal/tools/results -shared DIR [-only SECTION] [-command REGEXP] [-dir DIR]
//
// The shared folder holds the models and data the rows name. With -dir workspaces stay there: a long training that was
// interrupted goes on when its command is run again, and sections that search find what others trained. What is not run
// keeps the rows it had, so that an expensive command need not be repeated for a cheap one. Above each table stand its
// commands with their commit and machine; the first page repeats figures of the tables.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// options say what to run and where.
type options struct {
	shared, section, out, dir string

	command *regexp.Regexp
}

func main() {
	var o options
	flag.StringVar(&o.shared, "shared", "../shared", "folder with models/ and data/")
	flag.StringVar(&o.section, "only", "", "run this section alone")
	command := flag.String("command", "", "run commands that match this regular expression alone")
	flag.StringVar(&o.out, "out", "RESULTS.md", "file to rewrite")
	flag.StringVar(&o.dir, "dir", "", "folder for workspaces, kept; default a new one, removed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if o.command, err = regexp.Compile(*command); err == nil {
		err = rewrite(ctx, o)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

// rewrite runs what the options choose, section by section, and writes the file after each: hours of work are not lost
// with what comes later.
func rewrite(ctx context.Context, o options) error {
	shared, err := filepath.Abs(o.shared)
	if err != nil {
		return err
	}
	r, err := newRunner(ctx, shared, o.dir)
	if err != nil {
		return err
	}
	defer r.close()
	for _, s := range sections() {
		for _, u := range s.units {
			if o.section != "" && o.section != s.name || !slices.ContainsFunc(u.commands, o.command.MatchString) {
				continue
			}
			rows, err := u.measure(ctx, r)
			if err != nil {
				return fmt.Errorf("section %s: %w", s.name, err)
			}
			if err := replace(o.out, s.name, rows); err != nil {
				return err
			}
		}
	}
	return replace(o.out, "", nil)
}

// replace puts rows in the place of those of the same commands. It reads the file anew and replaces it in one go, so
// that two runs may measure different things side by side.
func replace(name, section string, rows []row) error {
	old, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	fresh, err := os.CreateTemp(filepath.Dir(name), ".results-*")
	if err != nil {
		return err
	}
	_, err = fresh.WriteString(render(string(old), section, rows))
	if err = errors.Join(err, fresh.Chmod(0o644), fresh.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh.Name()))
	}
	return os.Rename(fresh.Name(), name)
}

// git returns the output of a git command, trimmed.
func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
