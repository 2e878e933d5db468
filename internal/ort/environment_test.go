//go:build cgo

package ort

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
)

// TestLookup starts this test binary anew, because a process can look for the library only once.
func TestLookup(t *testing.T) {
	if os.Getenv("MPQC_TEST_LOOKUP") != "" {
		lookup(t)
		return
	}
	if err := Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := os.Symlink(Library(), copied); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct{ name, option, env, want string }{
		{"usual places", "", "", "opened"},
		{"option", copied, "/nowhere", "opened " + copied},
		{"environment", "", copied, "opened " + copied},
		{"option does not exist", "/nowhere/lib.so", copied, "--onnxruntime: "},
		{"environment is no library", "", text, "MPQC_ONNXRUNTIME: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLookup$", "-test.v")
			cmd.Env = append(os.Environ(), "MPQC_TEST_LOOKUP=1", "MPQC_TEST_OPTION="+c.option, envLibrary+"="+c.env)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v, want %q in:\n%s", err, c.want, out)
			}
		})
	}
}

func lookup(t *testing.T) {
	t.Helper()
	if err := SetLibrary(os.Getenv("MPQC_TEST_OPTION")); err != nil {
		t.Fatal(err)
	}
	err := Available()
	if err != nil && !errors.Is(err, ErrNoRuntime) {
		t.Errorf("error %v does not wrap ErrNoRuntime", err)
	}
	if err != nil {
		t.Log(err)
		return
	}
	t.Logf("opened %s", Library())
}

func TestPlacesInOrder(t *testing.T) {
	t.Setenv(envLibrary, "")
	var all []string
	for _, p := range places("") {
		all = append(all, p.what)
	}
	if got := strings.Join(all, "; "); got != "next to the program; the Go module "+moduleDir+"; the system" {
		t.Errorf("places: %s", got)
	}
}
