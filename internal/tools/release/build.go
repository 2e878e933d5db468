package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// stubs name what the Go runtime links on macOS, as Apple's SDK does: Go asks for both libraries whatever a program
// uses.
//
//go:embed stubs
var stubs embed.FS

// builder builds one commit for several platforms.
type builder struct {
	commit commit
	work   string // temporary folder
	zig    string
	tags   string // build tags, with commas between them
	log    io.Writer
}

const module = "github.com/mpqc/mpqc"

// flags leave out what names folders of the machine that builds: symbols, debug information, C's included.
const flags = "-s -w -buildid= -extldflags=-s"

// goBuild compiles the program for a platform, with or without C.
func (b *builder) goBuild(ctx context.Context, out string, env ...string) error {
	variable := " -X " + module + "/pipeline."
	_, err := output(ctx, b.commit.dir, append(env, "GOFLAGS="), "go", "build", "-buildvcs=false", "-trimpath", "-tags", b.tags,
		"-ldflags", flags+variable+"version="+b.commit.version+variable+"commit="+b.commit.hash, "-o", out, "./cmd/mpqc")
	return err
}

// pages are the files that all archives share and that the program prints itself.
func (b *builder) pages(ctx context.Context) ([]entry, error) {
	program := filepath.Join(b.work, "host")
	if err := b.goBuild(ctx, program, "CGO_ENABLED=0"); err != nil {
		return nil, err
	}
	var out []entry
	for _, page := range []struct{ file, args string }{
		{"completion/mpqc.bash", "completion bash"},
		{"completion/_mpqc", "completion zsh"},
		{"completion/mpqc.fish", "completion fish"},
		{"man/mpqc.1", "man"},
	} {
		text, err := output(ctx, b.work, nil, program, strings.Fields(page.args)...)
		if err != nil {
			return nil, err
		}
		out = append(out, entry{name: page.file, data: text})
	}
	for _, name := range []string{"LICENSE", "README.md"} {
		data, err := os.ReadFile(filepath.Join(b.commit.dir, name))
		if err != nil {
			return nil, err
		}
		out = append(out, entry{name: name, data: data})
	}
	return out, nil
}

// files are those of one platform: the program, the library and the notices of what is in both.
func (b *builder) files(ctx context.Context, p platform) ([]entry, error) {
	compiler := b.zig + " cc -target " + p.target
	if p.darwin {
		dir := filepath.Join(b.work, "sdk")
		if err := writeStubs(dir); err != nil {
			return nil, err
		}
		compiler += " -L" + dir + " -F" + dir
	}
	env := []string{"GOOS=" + p.os, "GOARCH=" + p.arch, "CGO_ENABLED=1", "CC=" + compiler, "CGO_CFLAGS=-O2 -g0"}
	built := filepath.Join(b.work, p.os+"-"+p.arch)
	if err := b.goBuild(ctx, built, env...); err != nil {
		return nil, err
	}
	program, err := os.ReadFile(built)
	if err != nil {
		return nil, err
	}
	library, err := b.library(ctx, p)
	if err != nil {
		return nil, err
	}
	notices, err := b.notices(ctx, env[:3])
	if err != nil {
		return nil, err
	}
	return []entry{
		{name: p.program(), data: program, program: true},
		{name: path.Base(p.library), data: library},
		{name: "NOTICES.txt", data: notices},
	}, nil
}

// library reads onnxruntime from the module cache, after the go command has checked the module against its sum.
func (b *builder) library(ctx context.Context, p platform) ([]byte, error) {
	name := libraries + p.module + librariesTag
	text, err := output(ctx, b.commit.dir, []string{"GOFLAGS=-mod=mod"}, "go", "mod", "download", "-json", name)
	if err != nil {
		return nil, err
	}
	var got struct{ Dir, Sum string }
	if err := json.Unmarshal(text, &got); err != nil {
		return nil, fmt.Errorf("read what go mod download says of %s: %w", name, err)
	}
	if p.sum != "" && got.Sum != p.sum { // go.sum has the others
		return nil, fmt.Errorf("module %s has sum %s, not %s", name, got.Sum, p.sum)
	}
	return os.ReadFile(filepath.Join(got.Dir, filepath.FromSlash(p.library)))
}

func writeStubs(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	for _, name := range []string{"libresolv.tbd", "CoreFoundation.framework/CoreFoundation.tbd"} {
		data, err := stubs.ReadFile("stubs/" + name)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// goLicence is where Go's own licence lies.
func goLicence(ctx context.Context) (string, error) {
	root, err := output(ctx, "", nil, "go", "env", "GOROOT")
	return filepath.Join(strings.TrimSpace(string(root)), "LICENSE"), err
}

// goVersion stands in the notices.
func goVersion() string { return runtime.Version() }
