package cmd

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/program"
)

func TestManual(t *testing.T) {
	code, page, stderr := program.Call(t, "man")
	if code != exit.Done || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, r := range page {
		if r > 126 {
			t.Fatalf("the page holds %q, which roff without -k garbles", r)
		}
	}
	// Every command and every flag once more than in the sections on others, and no line that roff takes for a request
	// unless it is one of those written here.
	for _, c := range newApp(nil, nil).Commands {
		if has := strings.Contains(page, `.SS "mpqc `+c.Name); has == c.Hidden {
			t.Errorf("command %s: on the page %v, hidden %v", c.Name, has, c.Hidden)
		}
		for _, f := range c.Flags {
			if name := `\-\-` + strings.ReplaceAll(f.Names()[0], "-", `\-`); !strings.Contains(page, name+`\fR`) && !strings.Contains(page, name+", ") {
				t.Errorf("the page lacks %s of %s", name, c.Name)
			}
		}
	}
	for line := range strings.Lines(page) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(line, ".") &&
			!strings.Contains(" .TH .SH .SS .TP .PP .nf .fi .nh .ad ", " "+name+" ") || strings.HasPrefix(line, "'") {
			t.Errorf("roff reads a request in %q", line)
		}
	}
	if _, again, _ := program.Call(t, "man"); again != page {
		t.Error("two calls differ")
	}
}

// TestManualInGroff formats the page, where groff is installed.
func TestManualInGroff(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		testkit.Missing(t, "there is no groff")
	}
	_, page, _ := program.Call(t, "man")
	c := exec.CommandContext(t.Context(), groff, "-man", "-ww", "-Tascii", "-P-c", "-P-b", "-P-u")
	c.Stdin = strings.NewReader(page)
	var warnings strings.Builder
	c.Stderr = &warnings
	out, err := c.Output()
	if err != nil || warnings.String() != "" {
		t.Fatalf("groff: %v\n%s", err, warnings.String())
	}
	for _, want := range []string{
		"mpqc - compress pretrained ONNX networks", "mpqc compress [flags] [MODEL.onnx]", "-t, --target TARGET", "for example 'layer4.*=4/8'",
		"source <(mpqc completion bash)", "--onnxruntime PATH",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the formatted page lacks %q", want)
		}
	}
}

func TestCompletionErrors(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"completion", "needs a shell"},
		{"completion tcsh", `not for "tcsh"`},
		{"completion bash zsh", "one shell"},
		{"man page", "no arguments"},
		{"version 1", "no arguments"},
	} {
		code, stdout, stderr := program.Call(t, strings.Fields(tc.args)...)
		if code != exit.Usage || stdout != "" || !strings.Contains(stderr, tc.want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", tc.args, code, stdout, stderr)
		}
	}
}
