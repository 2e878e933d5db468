package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/program"
)

func TestUsageErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tc := range []struct {
		name string
		args []string
		want string // in the message
	}{
		{"unknown command", []string{"shrink"}, `there is no command "shrink"`},
		{"unknown flag", []string{"import", "--nosuch", "x.onnx"}, "there is no flag --nosuch\n"},
		{"import without model", []string{"import"}, "import needs a model"},
		{"two models", []string{"import", "a.onnx", "b.onnx"}, "one model"},
		{"missing model", []string{"import", "missing.onnx"}, "missing.onnx does not exist"},
		{"missing model of compress", []string{"compress", "missing.onnx", "--data", "."}, "missing.onnx does not exist"},
		{"missing samples", []string{"compress", "missing.onnx", "--data", "nowhere.zip"}, "samples nowhere.zip do not exist"},
		{"no samples", []string{"compress", "missing.onnx"}, "--data"},
		{"a folder for a model", []string{"compress", ".", "--data", "."}, ". is a folder"},
		{"report of nothing", []string{"report"}, "no workspace here"},
		{"report of nowhere", []string{"report", "--workspace", "nowhere.mpqc"}, "nowhere.mpqc is no workspace"},
		{"search of nowhere", []string{"search", "--workspace", "nowhere.mpqc"}, "mpqc compress first"},
		{"search without a workspace", []string{"search"}, "mpqc compress first"},
		{"bad target", []string{"compress", "--target", "tiny"}, "tiny"},
		{"bad target behind the path", []string{"compress", "missing.onnx", "--target", "tiny"}, "tiny"},
		{"bad bits", []string{"compress", "--bits", "2,x"}, "--bits"},
		{"bits out of range", []string{"compress", "--bits", "1,4"}, "bits: 1"},
		{"bits too wide", []string{"compress", "--bits", "9"}, "mpqc: bits: 9 is not between 2 and 8\n"},
		{"eval of a negative number of samples", []string{"eval", "x.onnx", "--samples", "-3"}, "--samples: -3 is not from 0 to 1000000000"},
		{"bits twice", []string{"compress", "--bits", "4", "--weight-bits", "4"}, "--weight-bits"},
		{"bad profile", []string{"compress", "--profile", "abacus"}, "abacus"},
		{"bad pin", []string{"compress", "--pin", "conv1"}, "conv1"},
		{"epochs and time", []string{"compress", "--epochs", "1", "--time", "1m"}, "epochs and time"},
		{"eval without model", []string{"eval", "--data", "x"}, "eval needs a model"},
		{"verify without model", []string{"verify"}, "verify needs a model"},
		{"bench nothing", []string{"bench"}, "needs a measurement"},
		{"bench something else", []string{"bench", "disk"}, "disk"},
		{"bench train without model", []string{"bench", "train"}, "--model"},
		{"bench train of no samples", []string{"bench", "train", "--model", "x.onnx", "--batch", "0"}, "--batch"},
		{"bench train of a missing model", []string{"bench", "train", "--model", "missing.onnx"}, "missing.onnx"},
		{"bench kernels of a model", []string{"bench", "kernels", "--model", "x.onnx"}, "--model"},
		{"quiet and verbose", []string{"import", "--quiet", "--verbose", "x.onnx"}, "--quiet and --verbose"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := program.Call(t, tc.args...)
			program.NeedRuntime(t, code, stderr)
			if code != exit.Usage {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			if !strings.Contains(stderr, tc.want) {
				t.Errorf("stderr %q lacks %q", stderr, tc.want)
			}
			if stdout != "" {
				t.Errorf("stdout holds %q", stdout)
			}
			if made, _ := filepath.Glob("*"); len(made) > 0 {
				t.Errorf("left behind: %v", made)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"help", "compress"}, {"compress", "--help"}, {}, {"--version"}} {
		code, stdout, stderr := program.Call(t, args...)
		if code != exit.Done || stdout == "" || stderr != "" {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

func TestImport(t *testing.T) {
	model := testkit.Shared(t, "models/resnet20-cifar10.onnx")
	t.Chdir(t.TempDir())
	code, stdout, stderr := program.Call(t, "import", model)
	if code != exit.Done {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"/layer1/layer1.0/conv1/Conv", "16x16x3x3", "2,3,4,5,6,8", "40.6 M", "fixed"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("table lacks %q", want)
		}
	}
	for _, f := range []string{"manifest.json", "float.onnx", "import.json"} {
		if _, err := os.Stat(filepath.Join("resnet20-cifar10.mpqc", f)); err != nil {
			t.Error(err)
		}
	}
	code, stdout, stderr = program.Call(t, "import", model, "--json", "--workspace", "w.mpqc", "--bits", "4,8")
	if code != exit.Done {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var doc struct {
		Layers []struct {
			Node       string
			Op         string
			Shape      []int
			MACs       int64
			Params     int64
			Candidates []int
		}
		Groups   []any
		Problems []any
	}
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil {
		t.Fatalf("stdout is not JSON: %v\n%s", err, stdout)
	}
	if len(doc.Layers) != 20 || doc.Groups == nil || doc.Problems == nil {
		t.Errorf("%d layers, groups %v, problems %v", len(doc.Layers), doc.Groups, doc.Problems)
	}
	if l := doc.Layers[1]; !slices.Equal(l.Candidates, []int{4, 8}) || l.MACs == 0 || l.Params != 2304 || len(l.Shape) != 4 {
		t.Errorf("layer %+v", l)
	}
}

func TestSeveralWorkspaces(t *testing.T) {
	model := testkit.Shared(t, "models/resnet20-cifar10.onnx")
	t.Chdir(t.TempDir())
	for _, w := range []string{"a.mpqc", "b.mpqc"} {
		if code, _, stderr := program.Call(t, "import", model, "--workspace", w); code != exit.Done {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
	}
	code, _, stderr := program.Call(t, "compress", "--target", "4bit")
	if code != exit.Usage || !strings.Contains(stderr, "a.mpqc, b.mpqc") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestReorder(t *testing.T) {
	app := newApp(nil, nil)
	for _, tc := range []struct{ name, in, want string }{
		{"flags behind", "mpqc compress m.onnx --target 4bit --json", "mpqc compress --target 4bit --json -- m.onnx"},
		{"bool flag takes no value", "mpqc compress --json m.onnx", "mpqc compress --json -- m.onnx"},
		{"equals", "mpqc compress m.onnx --target=4bit", "mpqc compress --target=4bit -- m.onnx"},
		{"double dash", "mpqc eval --data d -- --odd.onnx", "mpqc eval --data d -- --odd.onnx"},
		{"nothing to do", "mpqc compress", "mpqc compress"},
		{"alias", "mpqc compress m -t 3bit", "mpqc compress --target 3bit -- m"},
		{"negative value", "mpqc compress --seed -1 m", "mpqc compress --seed -1 -- m"},
	} {
		if got := strings.Join(reorder(app, strings.Fields(tc.in)), " "); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestTable(t *testing.T) {
	tb := newTable("", "top-1", "note")
	tb.row("float", "88.54 %", "")
	tb.row("a longer name", "9 %", "x")
	var b strings.Builder
	if err := tb.write(&b); err != nil {
		t.Fatal(err)
	}
	want := "                 top-1  note\n─────────────  ───────  ────\nfloat          88.54 %\na longer name      9 %  x\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 640: "640", 2304: "2.30 k", 40_600_000: "40.6 M", 2_600_000_000: "2.60 G", 999_999: "1000 k"} {
		if got := count(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
