package main

import (
	"context"
	_ "embed" // a licence
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// runtimeLicence is that of onnxruntime, which the modules that ship the library leave out.
//
//go:embed LICENSE-onnxruntime
var runtimeLicence string

// notices are the licences of everything in an archive that is not mpqc's own.
func (b *builder) notices(ctx context.Context, env []string) ([]byte, error) {
	var out strings.Builder
	add := func(title, text string) {
		fmt.Fprintf(&out, "%s\n%s\n\n%s\n\n", title, strings.Repeat("=", len(title)), strings.TrimSpace(text))
	}
	add("onnxruntime, https://github.com/microsoft/onnxruntime (what it contains: ThirdPartyNotices.txt there)", runtimeLicence)
	path, err := goLicence(ctx)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	add("The Go standard library, https://go.dev, "+goVersion(), string(text))
	samples, err := os.ReadFile(filepath.Join(b.commit.dir, "models", "example", "LICENSE-Fashion-MNIST"))
	if err != nil {
		return nil, err
	}
	add("Fashion-MNIST, the embedded samples", string(samples))
	list, err := output(ctx, b.commit.dir, append(env, "GOFLAGS="), "go", "list", "-deps", "-tags", b.tags,
		"-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/mpqc")
	if err != nil {
		return nil, err
	}
	for _, line := range slices.Compact(slices.Sorted(strings.Lines(string(list)))) {
		title, dir, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		text, err := licences(dir)
		if err != nil {
			return nil, fmt.Errorf("licence of %s: %w", title, err)
		}
		add(title, text)
	}
	return []byte(out.String()), nil
}

// licences are the texts in a module's folder, or its README where that is all that names one.
func licences(dir string) (string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, f := range files {
		name := strings.ToUpper(f.Name())
		if f.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "NOTICE") && !strings.HasPrefix(name, "PATENTS") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return "", err
		}
		out.Write(text)
		out.WriteString("\n")
	}
	if out.Len() > 0 {
		return out.String(), nil
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil || !strings.Contains(strings.ToLower(string(readme)), "licen") {
		return "", fmt.Errorf("%s has none", dir)
	}
	return string(readme), nil
}
