//go:build cgo

package ort

import (
	"bufio"
	"go/build"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// envLibrary is the environment variable that names the library.
const envLibrary = "MPQC_ONNXRUNTIME"

// moduleDir is where the Go module that ships the library lies in the module cache.
const moduleDir = "github.com/k2-fsa/sherpa-onnx-go-linux@v1.13.8"

// place is one place to look for the library: its description, and the paths to open there.
type place struct {
	what  string
	paths []string
	// stated places were named by the user. If they fail, nothing else is tried.
	stated bool
}

// places lists where the library is looked for, in order. option is the path from the command line, or "".
func places(option string) []place {
	if option != "" {
		return []place{{"--onnxruntime", []string{option}, true}}
	}
	if p := os.Getenv(envLibrary); p != "" {
		return []place{{envLibrary, []string{p}, true}}
	}
	all := []place{
		{"next to the program", besideProgram(), false},
		{"the Go module " + moduleDir, module(), false},
	}
	return append(all, place{"the system", libraryNames(), false})
}

// libraryNames lists the file names of the library on this system.
func libraryNames() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"onnxruntime.dll"}
	case "darwin":
		return []string{"libonnxruntime.dylib"}
	default:
		return []string{"libonnxruntime.so", "libonnxruntime.so.1"}
	}
}

// besideProgram lists paths beside the running program.
func besideProgram() []string {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	if target, err := filepath.EvalSymlinks(exe); err == nil {
		exe = target
	}
	return existing(filepath.Dir(exe), filepath.Join(filepath.Dir(exe), "lib"))
}

// module lists the library that link_linux.go linked, and the same file in the module cache.
func module() []string {
	if p := loaded(); p != "" {
		return []string{p}
	}
	triple := map[string]string{"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}[runtime.GOARCH]
	if runtime.GOOS != "linux" || triple == "" {
		return nil
	}
	var dirs []string
	if c := os.Getenv("GOMODCACHE"); c != "" {
		dirs = append(dirs, c)
	}
	for _, p := range filepath.SplitList(build.Default.GOPATH) {
		dirs = append(dirs, filepath.Join(p, "pkg", "mod"))
	}
	for i, d := range dirs {
		dirs[i] = filepath.Join(d, filepath.FromSlash(moduleDir), "lib", triple)
	}
	return existing(dirs...)
}

// loaded is the path of an onnxruntime library that this process has loaded already, from Linux's memory map.
func loaded() string {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // opened for reading
	for s := bufio.NewScanner(f); s.Scan(); {
		if i := strings.IndexByte(s.Text(), '/'); i >= 0 && strings.HasPrefix(filepath.Base(s.Text()[i:]), "libonnxruntime.so") {
			return s.Text()[i:]
		}
	}
	return ""
}

// existing returns the paths of libraries in dirs that exist.
func existing(dirs ...string) []string {
	var found []string
	for _, d := range dirs {
		for _, n := range libraryNames() {
			if p := filepath.Join(d, n); isFile(p) {
				found = append(found, p)
			}
		}
	}
	return found
}

// isFile reports whether a path is a regular file.
func isFile(path string) bool {
	s, err := os.Stat(path)
	return err == nil && s.Mode().IsRegular()
}
