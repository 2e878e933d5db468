package pipeline

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/ort"
)

// version and commit are set by the linker in release builds, which are made outside the repository:
// -ldflags "-X github.com/mpqc/mpqc/pipeline.version=v1.0.0".
var version, commit string

// BuildInfo is what `version --json` prints: what this program was built from and what it computes with.
type BuildInfo struct {
	Version string `json:"version"`          // of the release or the module; "devel" where neither is known
	Commit  string `json:"commit,omitempty"` // "" where the build does not know it
	Go      string `json:"go"`               // version of the compiler
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	ISA     string `json:"isa"`  // instruction set of the training kernels: avx512, avx2 or go
	VNNI    bool   `json:"vnni"` // products of codes by VPDPBUSD
	Threads int    `json:"threads"`

	Runtime RuntimeInfo `json:"onnxruntime"`
}

// RuntimeInfo is the onnxruntime library in use, or why there is none.
type RuntimeInfo struct {
	Version   string   `json:"version,omitempty"`
	Library   string   `json:"library,omitempty"` // path
	Providers []string `json:"providers"`         // those that start on this machine, the CPU first
	Error     string   `json:"error,omitempty"`   // "" where the library works
}

// About describes this program. library is the path of onnxruntime as in Options.OnnxRuntime. A library that is missing
// or does not load is part of the answer, no error.
func About(library string) BuildInfo {
	b := BuildInfo{
		Version: Version(), Commit: revision(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		ISA: kernel.Active().String(), VNNI: kernel.VNNI(), Threads: runtime.GOMAXPROCS(0),
		Runtime: RuntimeInfo{Providers: []string{}},
	}
	err := checkRuntime(library)
	if err == nil {
		b.Runtime.Version, b.Runtime.Library = ort.Version(), ort.Library()
		var have []string
		if have, err = ort.Providers(); err == nil {
			b.Runtime.Providers = have
		}
	}
	if err != nil {
		b.Runtime.Error = err.Error()
	}
	return b
}

// ErrNoRuntime is wrapped by the errors of everything that runs models, where no onnxruntime library can be used. They
// name the places that were looked at.
var ErrNoRuntime = ort.ErrNoRuntime

// module is the path of this module, in a program of its own or as a dependency of another.
const module = "github.com/mpqc/mpqc"

// Version of mpqc: the release, else the commit it was built from, else the module's version.
func Version() string {
	if version != "" {
		return version
	}
	if r := revision(); r != "" {
		return r
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	found := info.Main
	for _, d := range info.Deps {
		if d.Path == module {
			found = *d
		}
	}
	if found.Path != module || found.Version == "" || found.Version == "(devel)" {
		return "devel"
	}
	return found.Version
}

// revision is the first 12 digits of the commit mpqc was built from, "" where the build does not know it.
func revision() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != module {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return ""
}

// String is the program in one line, such as "mpqc v1.0.0 (0123456789ab, go1.26.0, linux/amd64)".
func (b BuildInfo) String() string {
	built := b.Go + ", " + b.OS + "/" + b.Arch
	if b.Commit != "" && b.Commit != b.Version {
		built = b.Commit + ", " + built
	}
	return fmt.Sprintf("mpqc %s (%s)", b.Version, built)
}
