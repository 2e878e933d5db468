package job

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/record"
)

// editRows changes the policy that was found at 4 bit and writes it to edited.json.
func editRows(t *testing.T, change func(rows []record.PolicyRow) []record.PolicyRow) []record.PolicyRow {
	t.Helper()
	doc := program.Decode[struct{ Result pipeline.Result }](t, sample.Read(t, filepath.Join("example.mpqc", "report.json")))
	rows := change(doc.Result.Results[0].Policy)
	b, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	sample.Write(t, "edited.json", b)
	return rows
}

func TestPolicy(t *testing.T) {
	if testing.Short() {
		t.Skip("runs several jobs")
	}
	found := program.DecodeResult(t, program.Example(t))
	want := editRows(t, func(rows []record.PolicyRow) []record.PolicyRow {
		rows[3].W, rows[4].W = 8, 3
		return rows
	})
	r, _ := program.Result(t, "compress", "--policy", "edited.json")
	x := r.Results[0]
	if !slices.Equal(x.Policy, want) || slices.Equal(x.Policy, found.Results[0].Policy) {
		t.Errorf("policy %v, want %v", x.Policy, want)
	}
	if x.Target != "policy-edited" || r.Fingerprint != found.Fingerprint || r.Seconds.Train != 0 || !x.Files[0].Verified {
		t.Errorf("result %+v", x)
	}
	if x.Uniform.BitOPs > x.BitOPs {
		t.Errorf("the baseline has %d BitOPs, the policy %d", x.Uniform.BitOPs, x.BitOPs)
	}
	// So is the file that people edit, comments and all.
	text := string(sample.Read(t, filepath.Join("example.mpqc", "search", "policy-edited.policy")))
	if !strings.Contains(text, "# Policy of target policy-edited") || !strings.Contains(text, "; same a as ") && strings.Count(text, "a 3,4,8") == 0 {
		t.Errorf("policy file:\n%s", text)
	}
	sample.Write(t, "copy.policy", []byte(text))
	stdout, _ := program.Succeed(t, "compress", "--policy", "copy.policy", "--json")
	if same := program.DecodeResult(t, stdout).Results[0]; same.Files[0].SHA256 != x.Files[0].SHA256 {
		t.Error("the policy as text gave another file")
	}
	// A whole result is taken, too.
	sample.Write(t, "result.json", []byte(stdout))
	if same, _ := program.Result(t, "compress", "--policy", "result.json"); same.Results[0].Files[0].SHA256 != x.Files[0].SHA256 {
		t.Error("the same policy gave another file")
	}
	// It is exported further like a policy that was found, alone or with all others.
	for _, args := range [][]string{{"--target", "policy-edited"}, nil} {
		out, _ := program.Answer[exportJSON](t, append([]string{"export", "--profile", "openvino"}, args...)...)
		if !slices.ContainsFunc(out.Results, func(r pipeline.TargetResult) bool { return r.Target == "policy-edited" && r.Files[0].Verified }) {
			t.Errorf("%v: results %+v", args, out.Results)
		}
	}
	if code, _, stderr := program.Call(t, "export", "--target", "policy-other"); code != exit.Usage || !strings.Contains(stderr, "no policy policy-other, but 4.0bit, policy-") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	code, _, stderr := program.Call(t, "compress", "--policy", "edited.json", "--target", "3.2bit")
	if code != exit.Infeasible || !strings.Contains(stderr, "edited.json needs") || !strings.Contains(stderr, "allows 3.2") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestBadPolicies(t *testing.T) {
	program.Example(t)
	edit := func(f func(rows []record.PolicyRow) []record.PolicyRow) string {
		editRows(t, f)
		return string(sample.Read(t, "edited.json"))
	}
	good := edit(func(r []record.PolicyRow) []record.PolicyRow { return r })
	text := string(sample.Read(t, filepath.Join("example.mpqc", "search", "4.0bit.policy")))
	line := func(node, bits string) string {
		return regexp.MustCompile(`(?m)^`+node+` .*$`).ReplaceAllString(text, node+" = "+bits)
	}
	for name, tc := range map[string]struct{ content, want string }{
		"syntax":                {strings.Replace(good, "\"w\": 8,", "\"w\": 8", 1), "line 5, column "},
		"type":                  {strings.Replace(good, "\"w\": 8,", "\"w\": \"many\",", 1), "line 4, column "},
		"empty":                 {"", "it is empty"},
		"other object":          {`{"layers": 3}`, "it holds no policy"},
		"unknown node":          {edit(func(r []record.PolicyRow) []record.PolicyRow { r[1].Node = "conv99"; return r }), `line 9: node "conv99" is no quantized layer`},
		"missing node":          {edit(func(r []record.PolicyRow) []record.PolicyRow { return slices.Delete(r, 1, 2) }), "node depthwise is missing"},
		"twice":                 {edit(func(r []record.PolicyRow) []record.PolicyRow { return append(r, r[1]) }), "node depthwise stands twice"},
		"no candidate":          {edit(func(r []record.PolicyRow) []record.PolicyRow { r[1].W = 5; return r }), "node depthwise: w 5 is not one of [3 4 8]"},
		"text without widths":   {line("down", "4"), "line 10: \"down = 4\" is not LAYER = W/A"},
		"text with a bad width": {line("down", "4/7"), "line 10: node down: a 7 is not one of [3 4 8]"},
		"text, a line less":     {regexp.MustCompile(`(?m)^down .*$`).ReplaceAllString(text, "# gone"), "node down is missing"},
		"fixed layer":           {edit(func(r []record.PolicyRow) []record.PolicyRow { r[0].W = 4; return r }), "node stem: w 4 is not one of [8]"},
	} {
		sample.Write(t, "bad.json", []byte(tc.content))
		code, stdout, stderr := program.Call(t, "compress", "--policy", "bad.json", "--json")
		if code != exit.Usage || stdout != "" || !strings.Contains(stderr, tc.want) || !strings.Contains(stderr, "bad.json") {
			t.Errorf("%s: exit code %d, want %q: %s", name, code, tc.want, stderr)
		}
	}
	for _, args := range [][]string{{"--policy", "none.json"}, {"--policy", "x", "--pin", "stem=8/8"}, {"--policy", "x", "-t", "3bit", "-t", "4bit"}} {
		if code, _, stderr := program.Call(t, append([]string{"compress"}, args...)...); code != exit.Usage {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}

// TestPolicyInPlaceOfATarget: a stated policy under a target's name is what export takes for that target, and the next
// search for the target finds its own again.
func TestPolicyInPlaceOfATarget(t *testing.T) {
	if testing.Short() {
		t.Skip("runs several jobs")
	}
	first := program.DecodeResult(t, program.Example(t)).Results[0]
	want := editRows(t, func(rows []record.PolicyRow) []record.PolicyRow {
		for i := range rows[1 : len(rows)-1] {
			rows[1+i].W = 3
		}
		return rows
	})
	program.Succeed(t, "compress", "--policy", "edited.json", "--target", "4.0bit")
	for _, tc := range []struct {
		command string
		want    []record.PolicyRow
	}{{"export", want}, {"search", first.Policy}} {
		out, _ := program.Answer[exportJSON](t, tc.command, "--target", "4.0bit")
		if !slices.Equal(out.Results[0].Policy, tc.want) {
			t.Errorf("%s: policy %v, want %v", tc.command, out.Results[0].Policy, tc.want)
		}
	}
}

// TestPinLines: every line of a policy file serves as --pin, as it stands there.
func TestPinLines(t *testing.T) {
	if testing.Short() {
		t.Skip("runs several jobs")
	}
	found := program.DecodeResult(t, program.Example(t))
	var args []string
	for line := range strings.Lines(string(sample.Read(t, filepath.Join("example.mpqc", "search", "4.0bit.policy")))) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && line[0] != '#' {
			args = append(args, "--pin", line)
		}
	}
	r, _ := program.Result(t, append([]string{"search"}, args...)...)
	if got, want := r.Results[0].Policy, found.Results[0].Policy; !slices.Equal(got, want) || len(args) != 2*len(want) {
		t.Errorf("pinned %v, want %v", got, want)
	}
}

func TestPinAndCap(t *testing.T) {
	program.Example(t)
	r, _ := program.Result(t, "search", "--target", "4.0bit", "--pin", "depthwise=8/8", "--cap", "point*=4/4")
	for _, row := range r.Results[0].Policy {
		if row.Node == "depthwise" && (row.W != 8 || row.A != 8) || strings.HasPrefix(row.Node, "point") && (row.W > 4 || row.A > 4) {
			t.Errorf("row %+v", row)
		}
	}
	for _, bad := range []string{"nothing=4/4", "depthwise=5/5"} {
		if code, _, stderr := program.Call(t, "search", "--target", "4.0bit", "--pin", bad); code != exit.Usage || !strings.Contains(stderr, bad) {
			t.Errorf("%s: exit code %d: %s", bad, code, stderr)
		}
	}
}
