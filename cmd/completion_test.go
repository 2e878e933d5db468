package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/options"
)

// completed calls the hidden command as a script does.
func completed(t *testing.T, words ...string) (values []string, files string) {
	t.Helper()
	code, stdout, stderr := program.Call(t, append([]string{"__complete"}, words...)...)
	if code != exit.Done || stderr != "" {
		t.Fatalf("%q: exit code %d, stderr %q", words, code, stderr)
	}
	for line := range strings.Lines(stdout) {
		line = strings.TrimSuffix(line, "\n")
		if pattern, ok := strings.CutPrefix(line, ":files "); ok {
			files = pattern
			continue
		}
		value, _, _ := strings.Cut(line, "\t")
		values = append(values, value)
	}
	return values, files
}

func TestComplete(t *testing.T) {
	for _, tc := range []struct{ name, line, want, files string }{
		{"command", "com", "compress completion", ""},
		{"flag of the program", "--v", "--version", ""},
		{"flags", "compress --pro", "--profile --provider", ""},
		{"help of a command", "compress --hel", "--help", ""},
		{"flags used once", "eval --data d --sp", "--split", ""},
		{"used flag", "eval --split all --sp", "", ""},
		{"used flag with equals", "eval --split=all --sp", "", ""},
		{"repeatable flag", "compress --target 4bit --targ", "--target", ""},
		{"profiles", "compress --profile o", "ort openvino", ""},
		{"second profile, never the first again", "compress --profile ort,o", "ort,openvino", ""},
		{"one profile", "doctor --profile ort,", "", ""},
		{"value behind equals", "compress --profile=q", "--profile=qonnx --profile=qnn", ""},
		{"equals as bash splits it", "compress --profile = q", "qonnx qnn", ""},
		{"equals as bash splits it, no value", "compress --provider =", "cpu cuda tensorrt", ""},
		{"equals inside a value", "compress --target max-drop =", "1.0", ""},
		{"alias", "compress -t w4", "w4.0a8", ""},
		{"model", "eval ", "", "*.onnx"},
		{"model behind flags", "eval --json --data d m", "", "*.onnx"},
		{"a second model", "eval m.onnx ", "", ""},
		{"behind two dashes", "eval -- -", "", "*.onnx"},
		{"no model", "search ", "", ""},
		{"file", "eval --against ", "", "*.onnx"},
		{"file behind equals", "compress --policy=", "", "*.policy"},
		{"folder", "search --workspace ", "", "/"},
		{"nothing is known", "compress --seed ", "", ""},
		{"unknown flag", "compress --nosuch=", "", ""},
		{"unknown command", "shrink --", "", ""},
		{"measurement", "bench ", "train kernels search", ""},
		{"shell", "completion f", "fish", ""},
		{"help", "help ver", "verify version", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			values, files := completed(t, strings.Split(tc.line, " ")...)
			if got := strings.Join(values, " "); got != tc.want || files != tc.files {
				t.Errorf("%q: %q and files %q, want %q and %q", tc.line, got, files, tc.want, tc.files)
			}
		})
	}
}

// TestCompletedValues: the table names flags that exist, and words that the program takes.
func TestCompletedValues(t *testing.T) {
	known := map[string]bool{}
	for _, c := range newApp(nil, nil).Commands {
		for _, f := range c.Flags {
			known[f.Names()[0]] = true
		}
	}
	for name := range flagWords() {
		if !known[name] {
			t.Errorf("no command has --%s", name)
		}
	}
	o := pipeline.Options{SearchOptions: options.SearchOptions{Targets: flagWords()["target"].words}, ExportOptions: options.ExportOptions{Profiles: flagWords()["profile"].words}}
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	for _, flag := range []string{"provider", "effort"} {
		for _, w := range flagWords()[flag].words {
			o := pipeline.Options{MachineOptions: options.MachineOptions{Provider: w}}
			if flag == "effort" {
				o = pipeline.Options{TrainingOptions: options.TrainingOptions{Effort: w}}
			}
			if err := o.Validate(); err != nil {
				t.Error(err)
			}
		}
	}
	for _, w := range flagWords()["preset"].words {
		if _, err := models.Preset(w); err != nil {
			t.Error(err)
		}
	}
	for _, w := range flagWords()["augment"].words {
		if _, err := dataset.ParseAugmentation([]string{w}); err != nil {
			t.Error(err)
		}
	}
}

// shellTests are lines that every shell completes in a folder with a.onnx, "b c.onnx", notes.txt and a folder d.
var shellTests = []struct {
	line string
	want []string
}{
	{"mpqc ver", []string{"verify", "version"}},
	{"mpqc compress --profile ort,o", []string{"ort,openvino"}},
	{"mpqc compress --retr", []string{"--retrain"}},
	{"mpqc eval ", []string{"a.onnx", "b c.onnx", "d"}},
	{"mpqc eval --against a", []string{"a.onnx"}},
	{"mpqc search --workspace ", []string{"d"}},
	{"mpqc search --data n", nil}, // search has no --data
	{"mpqc eval --data n", []string{"notes.txt"}},
}

// shell skips where there is none, and prepares the folder and the PATH.
func shell(t *testing.T, name string) (path, script string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testkit.Missing(t, "there is no %s", name)
	}
	_, script, _ = program.Call(t, "completion", name)
	t.Setenv("PATH", filepath.Dir(program.Binary(t))+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Chdir(t.TempDir())
	for _, f := range []string{"a.onnx", "b c.onnx", "notes.txt", "d/x.txt"} {
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		sample.Write(t, f, []byte("x"))
	}
	return path, script
}

func checkShell(t *testing.T, line, out string, want []string) {
	t.Helper()
	var got []string
	for s := range strings.Lines(out) {
		if s, _, _ = strings.Cut(strings.TrimSuffix(s, "\n"), "\t"); s != "" {
			got = append(got, strings.TrimSuffix(s, "/"))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q: %q, want %q", line, got, want)
	}
}

// TestBash runs bash with the script and the words of a line as its readline splits them.
func TestBash(t *testing.T) {
	bash, script := shell(t, "bash")
	for _, tc := range append(shellTests, struct {
		line string
		want []string
	}{"mpqc compress --profile = q", []string{"qnn", "qonnx"}}) {
		c := exec.CommandContext(t.Context(), bash, "--norc", "-c", script+"\n"+`COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mpqc mpqc
((${#COMPREPLY[@]})) && printf '%s\n' "${COMPREPLY[@]}"; complete -p mpqc >&2`, "bash")
		c.Args = append(c.Args, strings.Split(tc.line, " ")...)
		var stderr strings.Builder
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil || stderr.String() != "complete -F _mpqc mpqc\n" {
			t.Fatalf("%q: %v\n%s", tc.line, err, stderr.String())
		}
		checkShell(t, tc.line, string(out), tc.want)
	}
}

func TestFish(t *testing.T) {
	fish, script := shell(t, "fish")
	t.Setenv("HOME", t.TempDir())
	for _, tc := range shellTests {
		c := exec.CommandContext(t.Context(), fish, "--no-config", "-c", script+"\ncomplete -C '"+tc.line+"'")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", tc.line, err, out)
		}
		checkShell(t, tc.line, string(out), tc.want)
	}
}

// TestZsh replaces the functions of zsh's completion system, which needs a terminal, by ones that print.
func TestZsh(t *testing.T) {
	zsh, script := shell(t, "zsh")
	const system = `compdef() { print -u2 compdef "$@" }
compset() { }
_describe() { local v; for v in "${(@P)argv[-1]}"; do print -r -- "${v%%:*}"; done }
_files() { local f word=$words[CURRENT]; for f in $word*(N); do if [[ -d $f ]] || { [[ $1 == -g ]] && [[ $f == ${~2} ]] }; then print -r -- "$f"; fi; done }
`
	for _, tc := range shellTests {
		c := exec.CommandContext(t.Context(), zsh, "-f", "-c", system+script+"\n"+`words=("$@"); CURRENT=$#; _mpqc; true`, "zsh")
		c.Args = append(c.Args, strings.Split(tc.line, " ")...)
		var stderr strings.Builder
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil || stderr.String() != "compdef _mpqc mpqc\n" {
			t.Fatalf("%q: %v\n%s", tc.line, err, stderr.String())
		}
		checkShell(t, tc.line, string(out), tc.want)
	}
}
