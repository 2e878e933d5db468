package cmd

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline/options"
)

// Flags that take text: of numbers, and of anything else. A new one belongs to either.
var (
	textsOfNumbers = []string{"target", "pin", "cap", "bits", "weight-bits", "activation-bits", "mean", "std", "resize", "crop", "max-memory"}
	plainTexts     = []string{
		"data", "outputs", "preset", "layout", "color", "policy", "profile", "provider", "exclude", "effort", "rounding", "augment", "ranges", "sampling",
		"workspace", "onnxruntime", "against", "split", "beside", "model",
	}
)

// TestNumbers gives every flag of every command that takes numbers what is none or cannot be meant: exit code 2 with
// the flag, what it was given and what it takes, and nothing is made on disk. Empty values are refused of texts, too.
func TestNumbers(t *testing.T) {
	if testing.Short() {
		t.Skip("runs hundreds of command lines")
	}
	t.Chdir(t.TempDir())
	model := sample.ModelFile(t, "model.onnx", nil)
	tried := 0
	for _, c := range newApp(nil, nil).Commands {
		if c.SkipFlagParsing {
			continue
		}
		for _, f := range c.Flags {
			name := f.Names()[0]
			values := []string{"-1", "nan", "inf", "-inf", "1e18", "1e400", "", "text", "99999999999999999999"}
			spelled := true // the message says what the flag takes
			switch f.(type) {
			case *cli.IntFlag, *cli.Float64Flag, *cli.DurationFlag:
				if s, known := spanOf(c, name); !known || s.High <= s.Low {
					t.Errorf("%s --%s: no span is known of this number: see ownSpans", c.Name, name)
				}
			case *cli.Uint64Flag: // every number of its type is a seed
			case *cli.BoolFlag:
				values = []string{"text", "2"}
			case *cli.StringFlag, *cli.StringSliceFlag:
				spelled = false
				if name == "mean" {
					values = slices.DeleteFunc(values, func(v string) bool { return v == "-1" })
				}
				switch numbers := slices.Contains(textsOfNumbers, name); {
				case !numbers && !slices.Contains(plainTexts, name):
					t.Errorf("%s --%s: say in this test whether its text holds numbers", c.Name, name)
				case !numbers || name == "target" && (c.Name == "export" || c.Name == "bench"): // names of what was found before
					values = []string{"", " "}
				}
			default:
				t.Errorf("%s --%s: flags of type %T are not tried", c.Name, name, f)
			}
			for _, v := range values {
				tried++
				args := []string{c.Name, "--" + name + "=" + v}
				if strings.Contains(c.ArgsUsage, "MODEL") {
					args = append(args, model)
				}
				code, stdout, stderr := program.Call(t, args...)
				if code != exit.Usage || stdout != "" || !strings.Contains(stderr, name) && !strings.Contains(stderr, v) {
					t.Errorf("%s --%s=%q: exit code %d: %s%s", c.Name, name, v, code, stdout, stderr)
				}
				if spelled && (!strings.Contains(stderr, "--"+name+": ") || !strings.Contains(stderr, " is not ")) {
					t.Errorf("%s --%s=%q: %s", c.Name, name, v, stderr)
				}
				onlyModel(t, c.Name, name, v)
			}
		}
	}
	if tried < 500 {
		t.Errorf("%d command lines were tried", tried)
	}
	t.Logf("%d command lines", tried)
}

// onlyModel checks that a command line left nothing behind.
func onlyModel(t *testing.T, command, flag, value string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "model.onnx" {
			t.Errorf("%s --%s=%q left %s behind", command, flag, value, e.Name())
			if err := os.RemoveAll(e.Name()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSpans: the ends of every span that are in it are taken, those that are out of it are not.
func TestSpans(t *testing.T) {
	for _, c := range newApp(nil, nil).Commands {
		for _, f := range c.Flags {
			s, known := spanOf(c, f.Names()[0])
			if !known {
				continue
			}
			for v, want := range map[float64]bool{
				s.Low: !s.Above, s.High: !s.Below, (s.Low + s.High) / 2: true, s.Low - 1: false, s.High*2 + 1: false,
			} {
				if s.Holds(v) != want {
					t.Errorf("%s --%s: %v is in the span %s: %v", c.Name, f.Names()[0], v, s, !want)
				}
			}
		}
	}
	for text, s := range map[string]options.Span{
		"from 1 to 64": {Low: 1, High: 64}, "above 0 and below 1": {High: 1, Above: true, Below: true}, "from 0 to below 1": {High: 1, Below: true},
		"above 0 and at most 100": {High: 100, Above: true}, "from 1ms to 1h0m0s": {Low: 0.001, High: 3600, Duration: true},
	} {
		if s.String() != text {
			t.Errorf("%q, want %q", s, text)
		}
	}
}
