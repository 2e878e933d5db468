package main

import (
	"fmt"
	"slices"
	"strings"
)

// platform is one archive: what to build it for, and the onnxruntime library that goes with it.
type platform struct {
	os, arch string
	target   string // of zig; the oldest system that onnxruntime runs on, too
	darwin   bool   // links against the stubs in place of Apple's SDK
	library  string // path inside the module
	module   string
	sum      string // of the module, as go.sum has it
}

// The modules that ship onnxruntime, at the version that go.mod names for Linux.
const (
	libraries    = "github.com/k2-fsa/sherpa-onnx-go-"
	librariesTag = "@v1.13.8"
)

// platforms are those that releases are built for.
func platforms() []platform {
	const (
		mac     = "h1:TQFOntGvoH+L+9HpmKukq6cDag674W7YQr3680KK0Q8="
		windows = "h1:PjALQ7qHH6wmGyVeHMhGESh+EAtC/24rzZIth4PXcEs="
	)
	return []platform{
		{os: "linux", arch: "amd64", target: "x86_64-linux-gnu.2.17", module: "linux", library: "lib/x86_64-unknown-linux-gnu/libonnxruntime.so"},
		{os: "linux", arch: "arm64", target: "aarch64-linux-gnu.2.17", module: "linux", library: "lib/aarch64-unknown-linux-gnu/libonnxruntime.so"},
		{os: "darwin", arch: "arm64", target: "aarch64-macos.13.0", darwin: true, module: "macos", sum: mac, library: "lib/aarch64-apple-darwin/libonnxruntime.dylib"},
		{os: "darwin", arch: "amd64", target: "x86_64-macos.13.0", darwin: true, module: "macos", sum: mac, library: "lib/x86_64-apple-darwin/libonnxruntime.dylib"},
		{os: "windows", arch: "amd64", target: "x86_64-windows-gnu", module: "windows", sum: windows, library: "lib/x86_64-pc-windows-gnu/onnxruntime.dll"},
	}
}

func (p platform) name() string { return p.os + "/" + p.arch }

func (p platform) program() string {
	if p.os == "windows" {
		return "mpqc.exe"
	}
	return "mpqc"
}

func (p platform) archive() string {
	if p.os == "windows" {
		return ".zip"
	}
	return ".tar.gz"
}

func names(all []platform) []string {
	out := make([]string, len(all))
	for i, p := range all {
		out[i] = p.name()
	}
	return out
}

// choose picks platforms by a list of their names.
func choose(all []platform, list string) ([]platform, error) {
	var out []platform
	for name := range strings.SplitSeq(list, ",") {
		i := slices.Index(names(all), name)
		if i < 0 {
			return nil, fmt.Errorf("there is no platform %q (%s)", name, strings.Join(names(all), ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}
