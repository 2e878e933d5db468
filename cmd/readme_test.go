package cmd

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/models"
)

// quick are added to commands that train or search, so that the documents' examples take seconds. Everything else of
// an example is run as it stands there.
var quick = []string{"--epochs", "0", "--calibrate-samples", "32", "--search-samples", "4", "--norm-samples", "32", "--bits", "2,3,4,8"}

// TestReadme runs every mpqc line of the README's code blocks, block after block, in one folder that holds the files
// they name.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("searches four targets")
	}
	readme := string(sample.Read(t, filepath.Join(program.Module(t), "README.md")))
	lines := examples(readme)
	if len(lines) < 5 {
		t.Fatalf("README.md has %d command lines", len(lines))
	}
	// Scripts outside the repository rely on these: no workspace stated, samples from the manifest, several targets
	// from one training.
	for _, line := range []string{
		"mpqc import model.onnx",
		"mpqc compress --data pictures.zip --target 4.0bit --target 3.0bit",
		"mpqc compress --target 2.5bit",
		"mpqc eval model.mpqc/out/model-3.0bit.ort.onnx --data pictures.zip",
	} {
		if !slices.Contains(lines, line) {
			t.Errorf("README.md lacks %q", line)
		}
	}
	runExamples(t, lines)
	for _, f := range []string{
		"manifest.json", "float.onnx", "import.json", "calibration.json", "supernet.safetensors", "search/3.0bit.json", "search/2.5bit.json",
		"out/model-4.0bit.ort.onnx", "out/model-3.0bit.ort.onnx", "out/model-2.5bit.ort.onnx", "report.html", "report.json",
	} {
		if _, err := os.Stat(filepath.Join("model.mpqc", filepath.FromSlash(f))); err != nil {
			t.Error(err)
		}
	}
}

var fence = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")

// examples are the lines of code blocks that call mpqc, without their comments.
func examples(text string) []string {
	var out []string
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(line, "#")
			line = strings.TrimSpace(line)
			if rest, ok := strings.CutPrefix(line, "go run ./cmd/mpqc "); ok {
				line = "mpqc " + rest
			}
			if strings.HasPrefix(line, "mpqc ") {
				out = append(out, line)
			}
		}
	}
	return out
}

func runExamples(t *testing.T, lines []string) {
	t.Helper()
	t.Chdir(t.TempDir())
	model, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	sample.Write(t, "model.onnx", model)
	sample.PNGFolder(t, "samples", 128, 48)
	for _, name := range []string{"pictures.zip", "cifar10.zip"} { // as README and the design page call them
		sample.Write(t, name, sample.Zipped(t, os.DirFS("samples")))
	}
	for _, line := range lines {
		args := strings.Fields(line)
		for i := range args {
			args[i] = strings.Trim(args[i], "'")
		}
		t.Log(line)
		if args[1] == "compress" || args[1] == "search" {
			extra := quick
			if args[1] == "search" {
				extra = quick[4:8] // it does not train
			}
			args = slices.Insert(args, 2, extra...)
		}
		if args[1] == "compress" && !slices.Contains(args, "--data") {
			if _, err := os.Stat("model.mpqc"); err != nil { // the embedded example, with fewer samples
				args = append(args, "--data", sample.SmallData(t, t.TempDir(), 128, 48))
			}
		}
		code, stdout, stderr := program.Call(t, args[1:]...)
		program.NeedRuntime(t, code, stderr)
		if code != exit.Done || stdout == "" {
			t.Fatalf("%s: exit code %d: %s", line, code, stderr)
		}
		if made, _ := filepath.Glob("example.mpqc"); len(made) > 0 {
			// The document shows it on a fresh checkout, apart from what follows.
			if err := os.Rename("example.mpqc", "example.done"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDesign runs every mpqc line of the design page's code blocks, where that page is at hand.
func TestDesign(t *testing.T) {
	if testing.Short() {
		t.Skip("searches three targets")
	}
	lines := examples(string(sample.Read(t, testkit.Shared(t, "design.md"))))
	if len(lines) < 4 {
		t.Fatalf("design.md has %d command lines", len(lines))
	}
	runExamples(t, lines)
}

var (
	commandRow = regexp.MustCompile("(?m)^\\| `([a-z]+)([^`]*)` \\|(.*)\\|$")
	snippet    = regexp.MustCompile("`(--[^`]+)`")
	flagName   = regexp.MustCompile(`--([a-z][a-z-]*)`)
)

// bare are values for flags that the design page names without one, or with a word that stands for one.
var bare = map[string]string{"target": "4.0bit", "data": "nowhere.zip", "seed": "1", "weight-bits": "4", "activation-bits": "4", "exclude": "conv1", "epochs": "1", "train-samples": "1"}

// TestDesignFlags parses every flag of the design page's table of commands, with its value as it stands there: what is
// wrong with the line then is the missing model alone.
func TestDesignFlags(t *testing.T) {
	design := string(sample.Read(t, testkit.Shared(t, "design.md")))
	_, section, ok := strings.Cut(design, "\n## 5.")
	if section, _, _ = strings.Cut(section, "\n## 6."); !ok {
		t.Fatal("design.md has no section 5")
	}
	t.Chdir(t.TempDir())
	app, rows, tried := newApp(nil, nil), 0, 0
	fine := []string{"no samples: state them with --data", "samples nowhere.zip do not exist", "is not available: the onnxruntime library"} // of a provider
	for _, row := range commandRow.FindAllStringSubmatch(section, -1) {
		name, text := row[1], row[2]+row[3]
		command := app.Command(name)
		if command == nil {
			t.Errorf("there is no command %s", name)
			continue
		}
		rows++
		for _, f := range append(flagName.FindAllStringSubmatch(text, -1), []string{"", "json"}, []string{"", "quiet"}, []string{"", "verbose"}) {
			if !slices.ContainsFunc(command.Flags, func(have cli.Flag) bool { return slices.Contains(have.Names(), f[1]) }) {
				t.Errorf("%s has no --%s", name, f[1])
			}
		}
		if name != "compress" { // the only one whose row gives values
			continue
		}
		for _, s := range snippet.FindAllStringSubmatch(row[3], -1) {
			for _, args := range spelled(command, s[1]) {
				tried++
				code, _, stderr := program.Call(t, append([]string{name, "missing.onnx"}, args...)...)
				program.NeedRuntime(t, code, stderr)
				if code != exit.Usage || !slices.ContainsFunc(fine, func(text string) bool { return strings.Contains(stderr, text) }) {
					t.Errorf("compress %v: exit code %d: %s", args, code, stderr)
				}
			}
		}
	}
	if rows < 9 || tried < 20 {
		t.Errorf("found %d commands and %d flags of compress", rows, tried)
	}
}

// spelled are the command lines that a snippet such as --provider cpu\|cuda stands for.
func spelled(command *cli.Command, text string) (lines [][]string) {
	fields := strings.Fields(text)
	flag := fields[0]
	if !takesValue(command, flag) {
		return [][]string{{flag}}
	}
	if v := bare[strings.TrimPrefix(flag, "--")]; v != "" {
		return [][]string{{flag, v}}
	}
	if len(fields) < 2 {
		return [][]string{{flag, "?"}} // fails: the table above lacks it
	}
	for v := range strings.SplitSeq(fields[1], `\|`) {
		lines = append(lines, []string{flag, strings.TrimSuffix(v, ",...")})
	}
	return lines
}
