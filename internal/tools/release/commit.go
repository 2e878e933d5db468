package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// commit is what a release is made of.
type commit struct {
	dir     string // copy of its files
	hash    string // its first 12 digits
	version string // the tag, or the last tag and what came after it, or the hash
	time    time.Time
}

// export copies the files of the commit that is checked out to dir.
func export(ctx context.Context, dir string) (commit, error) {
	c := commit{dir: dir}
	hash, err := output(ctx, "", nil, "git", "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return c, err
	}
	seconds, err := output(ctx, "", nil, "git", "show", "-s", "--format=%ct", "HEAD")
	if err != nil {
		return c, err
	}
	version, err := output(ctx, "", nil, "git", "describe", "--tags", "--always", "--abbrev=12", "HEAD")
	if err != nil {
		return c, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(seconds)), 10, 64)
	if err != nil {
		return c, fmt.Errorf("read time of commit: %w", err)
	}
	c.hash, c.version, c.time = strings.TrimSpace(string(hash)), strings.TrimSpace(string(version)), time.Unix(n, 0).UTC()
	files, err := output(ctx, "", nil, "git", "archive", "--format=tar", "HEAD")
	if err != nil {
		return c, err
	}
	return c, unpack(files, dir)
}

// unpack writes the files of a tar archive below dir.
func unpack(archive []byte, dir string) error {
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unpack commit: %w", err)
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("unpack %s: %w", h.Name, err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
}

// output runs a program and returns what it printed.
func output(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}
