package cmd

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/pipeline"
)

// parsed is what the flags of compress lead to, without running it, and the path.
func parsed(t *testing.T, args ...string) (o pipeline.Options, path string) {
	t.Helper()
	app := newApp(io.Discard, io.Discard)
	c := app.Command("compress")
	c.Action = func(c *cli.Context) (err error) {
		if path, err = oneArgument(c, "model", false); err == nil {
			err = bind(c, &o)
		}
		return err
	}
	if err := app.RunContext(t.Context(), reorder(app, append([]string{"mpqc", "compress"}, args...))); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return o, path
}

// TestArguments parses lists, repeated flags, and flags on both sides of the path.
func TestArguments(t *testing.T) {
	for _, args := range [][]string{
		{"m.onnx", "--target", "4.0bit,2MB", "-t", "3bit", "--profile", "ort,trt", "--bits", "2,3,4", "--exclude", "a,b", "--exclude", "c"},
		{"--target", "4.0bit,2MB", "-t", "3bit", "--profile", "ort,trt", "--bits", "2,3,4", "--exclude", "a,b", "--exclude", "c", "m.onnx"},
		{"--target=4.0bit,2MB", "--profile=ort", "m.onnx", "--profile=trt", "--bits=2,3,4", "-t=3bit", "--exclude=a,b,c"},
	} {
		o, path := parsed(t, args...)
		// A comma joins the limits of one target; profiles, widths and nodes are lists.
		if path != "m.onnx" || !slices.Equal(o.Targets, []string{"4.0bit,2MB", "3bit"}) || !slices.Equal(o.Profiles, []string{"ort", "trt"}) ||
			!slices.Equal(o.WeightBits, []int{2, 3, 4}) || !slices.Equal(o.ActivationBits, []int{2, 3, 4}) || !slices.Equal(o.Exclude, []string{"a", "b", "c"}) {
			t.Errorf("%v: path %q, %+v", args, path, o)
		}
	}
	o, _ := parsed(t, "--pin", "a,b=4/4", "--cap", "layer4.*=4/8", "--time", "30m", "--weight-bits", "4", "--no-labels", "--holdout", "0.2", "--seed", "0")
	if !slices.Equal(o.Pins, []string{"a,b=4/4"}) || !slices.Equal(o.Caps, []string{"layer4.*=4/8"}) || o.Time != 30*time.Minute ||
		!slices.Equal(o.WeightBits, []int{4}) || o.ActivationBits != nil || !*o.NoLabels || *o.Holdout != 0.2 || o.Seed == nil || *o.Seed != 0 {
		t.Errorf("%+v", o)
	}
	if o, _ := parsed(t); o.Epochs != nil || o.Seed != nil || o.NoLabels != nil || o.NoEMA != nil || o.Float {
		t.Errorf("without flags something is stated: %+v", o)
	}
	if o, _ := parsed(t, "--bits", "float", "--epochs", "0"); !o.Float || o.Epochs == nil || *o.Epochs != 0 {
		t.Errorf("--bits float --epochs 0: %+v", o)
	}
}

// TestHelpText looks at the pages as a reader would: every flag is there with words, none with a default that is none.
func TestHelpText(t *testing.T) {
	for _, c := range newApp(nil, nil).Commands {
		if c.Hidden {
			continue
		}
		code, page, stderr := program.Call(t, c.Name, "--help")
		if code != exit.Done || stderr != "" {
			t.Errorf("%s: exit code %d: %s", c.Name, code, stderr)
		}
		if again, same, _ := program.Call(t, "help", c.Name); again != exit.Done || same != page {
			t.Errorf("mpqc help %s differs from mpqc %s --help", c.Name, c.Name)
		}
		for _, f := range c.Flags {
			if !strings.Contains(page, "--"+f.Names()[0]) {
				t.Errorf("%s: --%s is missing", c.Name, f.Names()[0])
			}
			if d, ok := f.(cli.DocGenerationFlag); ok && d.GetUsage() == "" {
				t.Errorf("%s: --%s has no words", c.Name, f.Names()[0])
			}
		}
		for line := range strings.Lines(page) {
			if len([]rune(line)) > helpWidth+3 {
				t.Errorf("%s: a line has %d characters: %s", c.Name, len([]rune(line)), line)
			}
		}
		if strings.Contains(page, "(default: 0") || strings.Contains(page, "`") || strings.Contains(page, "{{") {
			t.Errorf("%s: %s", c.Name, page)
		}
		if _, overview, _ := program.Call(t, "--help"); !strings.Contains(overview, "\n  "+c.Name+" ") {
			t.Errorf("%s is not in the overview", c.Name)
		}
	}
}

func TestUnknownFlagHasASuggestion(t *testing.T) {
	code, _, stderr := program.Call(t, "compress", "--targets", "4bit")
	if code != exit.Usage || !strings.Contains(stderr, "there is no flag --targets; did you mean --target?") || !strings.Contains(stderr, "mpqc compress --help") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
