package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mpqc/mpqc"

// rules says which packages of this module a package may import directly, outside tests. A key or an entry that ends
// in /* stands for everything below; the first key that fits decides. A package without a rule may import nothing.
// To let an arrow in, add it here with the reason in the commit: arrows only ever point down this list.
var rules = []rule{
	{"cmd/mpqc", []string{"cmd"}},
	{"cmd", []string{"pipeline", "pipeline/report", "models", "internal/progress", "internal/bench"}},
	{"internal/results", nil},
	{"internal/big", []string{"onnx", "internal/tensor"}}, // writes a large model for the program
	{"internal/soak", []string{"pipeline"}},               // jobs over and over in one process
	{"internal/release", []string{"internal/file"}},
	{"internal/bench", []string{"quantize", "quantize/fakequant", "quantize/train", "onnx", "onnx/pass", "onnx/shape", "calibrate", "internal/engine", "internal/engine/*", "internal/kernel", "internal/par", "internal/ort", "internal/tensor"}},
	{"pipeline/report", []string{"pipeline", "pipeline/search"}},
	{"internal/progress", []string{"pipeline"}},
	{"pipeline/search", []string{"quantize"}},
	{"pipeline", []string{
		"pipeline/search", "export", "calibrate", "quantize", "quantize/*", "models", "models/*", "onnx", "onnx/*",
		"internal/ort", "internal/engine", "internal/engine/*", "internal/tensor", "internal/par", "internal/file",
		"internal/kernel", // which instruction set computed a stage
		"internal/memory",
	}},
	{"export", []string{"onnx", "onnx/pass", "onnx/shape", "quantize", "internal/tensor"}},
	{"calibrate", []string{"quantize", "onnx", "onnx/pass", "internal/engine", "internal/engine/decode", "internal/ort", "internal/tensor", "internal/par"}},
	{"quantize/train", []string{"quantize", "quantize/fakequant", "models/dataset", "internal/engine", "internal/engine/*", "internal/tensor", "internal/kernel", "internal/par", "onnx"}},
	{"quantize/fakequant", []string{"quantize", "internal/engine", "internal/engine/ops", "internal/kernel", "internal/tensor", "internal/par"}},
	{"quantize/integer", []string{"quantize", "onnx", "internal/kernel", "internal/par", "internal/tensor"}},
	{"quantize", []string{"onnx", "internal/tensor", "internal/file"}},
	{"models/internal/makeexample", nil}, // the three make the embedded example; no package imports them
	{"models/internal/trainexample", []string{
		"models", "models/dataset", "models/internal/fashion", "onnx", "onnx/pass", "internal/engine", "internal/engine/*", "internal/par", "internal/tensor",
	}},
	{"models/internal/fashion", []string{"models", "onnx", "internal/tensor"}},
	{"models/dataset", []string{"models", "onnx", "internal/tensor"}},
	{"models", []string{"onnx", "internal/tensor"}},
	{"internal/engine/decode", []string{"onnx", "onnx/shape", "internal/engine", "internal/engine/ops", "internal/tensor"}},
	{"internal/engine/*", []string{"internal/engine", "onnx/shape", "internal/kernel", "internal/tensor", "internal/par"}},
	{"internal/engine", []string{"internal/engine/grad", "onnx/shape", "internal/kernel", "internal/memory", "internal/tensor", "internal/par"}},
	{"onnx/pass", []string{"onnx", "onnx/shape", "internal/tensor"}},
	{"onnx/shape", []string{"onnx", "internal/tensor"}},
	{"onnx/internal/onnxpb", nil},
	{"onnx", []string{"onnx/internal/onnxpb", "internal/tensor", "internal/file"}},
	{"internal/ort", []string{"internal/tensor"}},
	{"internal/kernel/*", []string{"internal/kernel", "internal/par"}},
	{"internal/kernel", []string{"internal/par"}},
	{"internal/file", nil},
	{"internal/memory", nil},
	{"internal/par", nil},
	{"internal/tensor", nil},
	{"internal/testkit/mutation", []string{"onnx", "internal/tensor"}},
	{"internal/testkit", []string{"onnx", "internal/engine", "internal/tensor"}},
	{"internal/archtest", nil},
}

type rule struct {
	pkg     string
	imports []string
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := local(p.ImportPath)
		i := slices.IndexFunc(rules, func(r rule) bool { return fits(r.pkg, name) })
		if i < 0 {
			t.Errorf("package %s has no rule: say in this test what it may import", name)
			continue
		}
		for _, path := range p.Imports {
			dep := local(path)
			if dep == "" {
				continue
			}
			if !slices.ContainsFunc(rules[i].imports, func(a string) bool { return fits(a, dep) }) {
				t.Errorf("%s imports %s; it may import %s", name, dep, strings.Join(rules[i].imports, ", "))
			}
		}
	}
}

func packages(t *testing.T) []listed {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", module+"/...")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var ps []listed
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

// local is the path of a package inside this module, or "" for one outside.
func local(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	return rest
}

func fits(pattern, name string) bool {
	if below, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(name, below+"/")
	}
	return pattern == name
}
