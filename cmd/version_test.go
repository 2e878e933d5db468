package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/pipeline"
)

func TestVersion(t *testing.T) {
	var docs []string
	for _, args := range [][]string{{"version", "--json"}, {"--version", "--json"}, {"-v", "--json"}} {
		code, stdout, stderr := program.Call(t, args...)
		if code != exit.Done || stderr != "" {
			t.Fatalf("%v: exit code %d, stderr %q", args, code, stderr)
		}
		docs = append(docs, stdout)
	}
	if docs[0] != docs[1] || docs[0] != docs[2] {
		t.Errorf("spellings differ: %q", docs)
	}
	b := program.Decode[pipeline.BuildInfo](t, []byte(docs[0]))
	if b.Version == "" || b.Go != runtime.Version() || b.Threads != runtime.GOMAXPROCS(0) || !slices.Contains([]string{"avx512", "avx2", "go"}, b.ISA) {
		t.Errorf("%+v", b)
	}
	if works := slices.Contains(b.Runtime.Providers, "cpu") && strings.HasPrefix(b.Runtime.Version, "1."); works == (b.Runtime.Error != "") {
		t.Errorf("runtime %+v", b.Runtime)
	}
	_, text, _ := program.Call(t, "version")
	if want := "mpqc " + b.Version; !strings.HasPrefix(text, want) || !strings.Contains(text, "onnxruntime: ") {
		t.Errorf("text %q lacks %q", text, want)
	}
}

// TestVersionOfARelease builds the program as a release is built, and runs it where no library is.
func TestVersionOfARelease(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	exe := filepath.Join(t.TempDir(), "mpqc.exe")
	const variable = "github.com/mpqc/mpqc/pipeline."
	if err := program.Build(t, exe, "-tags", "mpqc_nolink", "-ldflags", "-X "+variable+"version=v9.8.7 -X "+variable+"commit=0123456789ab"); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), exe, "version")
	// No module cache, and no library of the system: only what lies beside the program counts.
	run.Env = append(os.Environ(), "GOMODCACHE="+t.TempDir(), "GOPATH="+t.TempDir(), "LD_LIBRARY_PATH=", "MPQC_ONNXRUNTIME=", "GODEBUG=cpu.avx512f=off")
	run.Dir = t.TempDir()
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(string(out), "\n")
	if want := "mpqc v9.8.7 (0123456789ab, " + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")"; lines[0] != want {
		t.Errorf("first line %q, want %q", lines[0], want)
	}
	if strings.Contains(lines[1], "AVX-512") {
		t.Errorf("AVX-512 was turned off: %q", lines[1])
	}
	if !strings.Contains(string(out), "onnxruntime: ") {
		t.Errorf("no line about the library:\n%s", out)
	}
	if strings.Contains(lines[2], "missing") && !strings.Contains(lines[2], "without cgo") && !strings.Contains(string(out), "--onnxruntime PATH") {
		t.Errorf("no advice:\n%s", out)
	}
}
