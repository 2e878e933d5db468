package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/program"
)

// evilName says what a terminal would obey, or hide.
const evilName = "a\x1b[31mRED\x1b]0;owned\a\u202e\u009b\u200b\xff"

// TestEvilNames shows names that hold escapes: a terminal gets none of them, and JSON says the same in another
// spelling.
func TestEvilNames(t *testing.T) {
	model := testkit.Shared(t, "cases/hostile/evil2_names.onnx")
	t.Chdir(t.TempDir())
	data, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(evilName+".onnx", data, 0o600); err != nil {
		t.Skip("the file system takes no such names") // others than those of Unix
	}
	for _, args := range [][]string{
		{"import", evilName + ".onnx"},
		{"import", evilName + ".onnx", "--json"},
		{"import", evilName + ".onnx", "--verbose", "--workspace", evilName},
		{"doctor", evilName + ".onnx"},
		{"doctor", evilName + ".onnx", "--json"},
		{"import", evilName + "2.onnx"},
		{"import", model, "--" + evilName},
		{evilName},
		{"report", evilName},
		{"compress", model, "--data", evilName + ".zip"},
		{"compress", model, "--target", evilName},
		{"compress", model, "--pin", evilName + "=4/8"},
		{"eval", model, "--data", evilName},
		{"verify", evilName + ".onnx"},
	} {
		t.Run(filepath.Base(strings.Join(args, " ")), func(t *testing.T) {
			_, stdout, stderr := program.Call(t, args...)
			for _, out := range []string{stdout, stderr} {
				if !utf8.ValidString(out) {
					t.Fatalf("%q is no UTF-8", out)
				}
				for _, r := range out {
					if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
						t.Fatalf("%U in %q", r, out)
					}
				}
			}
			if args[len(args)-1] == "--json" && !json.Valid([]byte(stdout)) {
				t.Errorf("no JSON: %s", stdout)
			}
		})
	}
}
