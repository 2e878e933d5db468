// Command results runs the commands whose numbers stand in RESULTS.md and writes that file anew.
//
//	go run ./internal/results -shared DIR [-only SECTION] [-dir DIR]
//
// The shared folder holds the models and data the rows name. With -dir workspaces stay there: a long training that was
// interrupted goes on when its section is run again, and sections that search find what others trained. Sections that are not run keep the rows they had, so that an expensive
// section need not be repeated for a cheap one; every row carries its command, its commit and the machine.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

// section is one table of RESULTS.md.
type section struct {
	name, title, note string
	header            string
	rows              func(ctx context.Context, r *runner) ([]string, error)
}

func main() {
	shared := flag.String("shared", "../shared", "folder with models/ and data/")
	only := flag.String("only", "", "run this section alone")
	out := flag.String("out", "RESULTS.md", "file to rewrite")
	dir := flag.String("dir", "", "folder for workspaces, kept; default a new one, removed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := rewrite(ctx, *shared, *only, *out, *dir)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

func rewrite(ctx context.Context, shared, only, out, dir string) error {
	abs, err := filepath.Abs(shared)
	if err != nil {
		return err
	}
	r, err := newRunner(ctx, abs, dir)
	if err != nil {
		return err
	}
	defer r.close()
	old, err := os.ReadFile(out)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	var b bytes.Buffer
	b.WriteString("# Results\n\nWritten by `go run ./internal/results`; do not edit. `$S` is the folder with models and data.\n")
	for _, s := range sections() {
		body := previous(string(old), s.name)
		if only == "" || only == s.name {
			rows, err := s.rows(ctx, r)
			if err != nil {
				return fmt.Errorf("section %s: %w", s.name, err)
			}
			body = fmt.Sprintf("%s\n\n%s\n%s\n", s.note, s.header, strings.Join(rows, "\n"))
			body += fmt.Sprintf("\nCommit %s, %s.\n", r.commit, r.machine)
		}
		if body == "" {
			continue
		}
		fmt.Fprintf(&b, "\n<!-- section %s -->\n## %s\n%s<!-- end %s -->\n", s.name, s.title, body, s.name)
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// previous returns the body a section had in the old file, or "" where it had none.
func previous(old, name string) string {
	_, rest, ok := strings.Cut(old, "<!-- section "+name+" -->\n")
	if !ok {
		return ""
	}
	_, rest, _ = strings.Cut(rest, "\n") // the title line
	body, _, _ := strings.Cut(rest, "<!-- end "+name+" -->")
	return body
}

// git returns the output of a git command, trimmed.
func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
