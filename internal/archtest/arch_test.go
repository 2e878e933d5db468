package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
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
	{"cmd/fault", nil}, // tests alone
	{"cmd/job", nil},
	{"cmd", []string{
		"cmd/exit", "pipeline", "pipeline/event", "pipeline/options", "pipeline/workspace", "pipeline/doctor", "pipeline/report",
		"internal/legible", "internal/progress", "internal/bench", "pipeline/record",
	}},
	{"internal/testkit/program", []string{"cmd/exit", "pipeline", "pipeline/workspace", "internal/testkit", "internal/testkit/sample"}}, // not cmd, whose tests use it
	{"cmd/exit", nil},
	{"internal/tools/hashes", nil},
	{"internal/tools/results", nil},
	{"internal/tools/big", []string{"onnx", "internal/tensor"}},       // writes a large model for the program
	{"internal/tools/soak", []string{"pipeline", "pipeline/options"}}, // jobs over and over in one process
	{"internal/tools/release", []string{"internal/file"}},
	{"internal/bench", []string{
		"quantize", "quantize/fakequant", "quantize/train", "onnx", "onnx/pass", "onnx/shape", "calibrate", "internal/engine/*", "internal/kernel",
		"internal/memory", "internal/par", "internal/tensor",
	}},
	{"pipeline/report", []string{
		"pipeline/workspace", "quantize/search", "quantize", "internal/file", "internal/legible", "pipeline/record", "pipeline/stage",
		"quantize/train",
	}},
	{"pipeline/doctor", []string{
		"pipeline", "pipeline/event", "pipeline/workspace", "pipeline/network/partition", "pipeline/evaluation/session", "export", "quantize",
		"quantize/train", "models", "onnx", "onnx/pass", "internal/engine/decode", "internal/file", "internal/tensor", "internal/ort",
		"internal/memory", "internal/par", "calibrate", "export/lint", "pipeline/calibration", "pipeline/delivery", "pipeline/network",
		"pipeline/options", "pipeline/samples", "pipeline/record", "pipeline/stage", "pipeline/supernet", "quantize/fakequant",
		"quantize/integer",
	}},
	{"internal/progress", []string{"internal/legible"}},
	{"internal/legible", nil},
	{"pipeline", []string{
		"pipeline/event", "pipeline/options", "pipeline/workspace", "pipeline/samples", "pipeline/training", "pipeline/supernet/norms",
		"pipeline/evaluation/measurement", "pipeline/evaluation/scoring", "quantize/search", "pipeline/network/partition",
		"pipeline/evaluation/metric", "pipeline/evaluation/session", "export", "calibrate", "quantize", "quantize/*", "models", "models/*", "onnx",
		"onnx/*", "internal/ort", "internal/engine", "internal/engine/*", "internal/tensor", "internal/par", "internal/file", "internal/kernel",
		"export/lint", "export/metadata", "pipeline/calibration", "pipeline/delivery", "pipeline/evaluation", "pipeline/finetune",
		"pipeline/network", "pipeline/record", "pipeline/selection", "pipeline/stage", "pipeline/supernet",
	}},
	{"pipeline/delivery", []string{
		"export", "export/comparison", "export/lint", "export/metadata", "internal/engine/decode", "internal/file", "internal/ort",
		"internal/tensor", "onnx", "pipeline/delivery/verification", "pipeline/evaluation", "pipeline/evaluation/measurement",
		"pipeline/evaluation/metric", "pipeline/evaluation/session", "pipeline/event", "pipeline/finetune", "pipeline/network", "pipeline/options",
		"pipeline/samples", "pipeline/record", "pipeline/selection", "pipeline/selection/policy", "pipeline/stage", "pipeline/supernet",
		"pipeline/workspace", "quantize", "quantize/integer", "quantize/train",
	}},
	{"pipeline/finetune", []string{
		"export", "models/dataset", "pipeline/event", "pipeline/options", "pipeline/record", "pipeline/stage", "pipeline/supernet",
		"pipeline/supernet/norms", "pipeline/training", "pipeline/workspace", "quantize", "quantize/fakequant", "quantize/train",
	}},
	{"pipeline/selection", []string{
		"export", "pipeline/evaluation", "pipeline/evaluation/scoring", "pipeline/event", "pipeline/options", "pipeline/record",
		"pipeline/selection/policy", "pipeline/stage", "pipeline/supernet", "pipeline/workspace", "quantize", "quantize/search",
	}},
	{"pipeline/training", []string{
		"pipeline/event", "pipeline/evaluation/metric", "pipeline/options", "pipeline/samples", "pipeline/workspace", "quantize/fakequant",
		"quantize/train", "models/dataset", "internal/file", "internal/kernel", "internal/ort", "internal/par", "export", "pipeline/calibration",
		"pipeline/evaluation", "pipeline/evaluation/scoring", "pipeline/network", "pipeline/record", "pipeline/stage", "pipeline/supernet",
		"pipeline/supernet/norms", "quantize", "quantize/rounding", "quantize/search",
	}},
	{"pipeline/evaluation", []string{
		"export", "internal/ort", "models/dataset", "onnx", "pipeline/evaluation/measurement", "pipeline/evaluation/metric",
		"pipeline/evaluation/scoring", "pipeline/evaluation/session", "pipeline/event", "pipeline/network", "pipeline/options",
		"pipeline/samples", "pipeline/record", "pipeline/stage", "pipeline/supernet", "pipeline/supernet/norms", "pipeline/workspace", "quantize",
	}},
	{"pipeline/supernet", []string{
		"export", "models/dataset", "pipeline/calibration", "pipeline/event", "pipeline/options", "pipeline/samples", "pipeline/stage",
		"pipeline/supernet/norms", "pipeline/workspace", "quantize", "quantize/fakequant", "quantize/rounding",
	}},
	{"pipeline/calibration", []string{
		"calibrate", "internal/engine/decode", "onnx", "onnx/shape", "pipeline/event", "pipeline/network", "pipeline/options", "pipeline/samples",
		"pipeline/stage", "quantize", "quantize/fakequant",
	}},
	{"pipeline/samples", []string{
		"models/dataset", "internal/tensor", "internal/file", "models", "onnx", "pipeline/evaluation/metric", "pipeline/event", "pipeline/options",
		"pipeline/stage", "pipeline/workspace", "quantize",
	}},
	{"pipeline/network", []string{
		"internal/file", "internal/par", "onnx", "onnx/pass", "pipeline/evaluation/metric", "pipeline/evaluation/session", "pipeline/event",
		"pipeline/network/partition", "pipeline/options", "pipeline/record", "pipeline/stage", "pipeline/workspace", "quantize",
	}},
	{"pipeline/stage", []string{
		"internal/ort", "internal/par", "internal/safetensors", "onnx", "pipeline/event", "pipeline/options", "pipeline/record",
		"pipeline/workspace", "quantize",
	}},
	{"pipeline/record", []string{
		"export", "export/comparison", "pipeline/evaluation/metric", "pipeline/evaluation/session", "pipeline/event", "pipeline/workspace",
		"quantize", "quantize/search",
	}},
	{"pipeline/workspace", []string{"pipeline/event", "pipeline/options", "quantize", "internal/file", "internal/kernel"}}, // kernel: which instruction set computed a stage
	{"pipeline/evaluation/scoring", []string{
		"pipeline/evaluation/measurement", "pipeline/evaluation/metric", "pipeline/supernet/norms", "pipeline/samples", "quantize/search",
		"pipeline/evaluation/session", "export", "quantize", "models/dataset", "onnx", "internal/ort",
	}},
	{"pipeline/evaluation/measurement", []string{
		"pipeline/evaluation/metric", "pipeline/options", "pipeline/samples", "quantize", "quantize/integer", "internal/ort", "internal/par",
		"internal/tensor", "internal/safetensors",
	}},
	{"pipeline/supernet/norms", []string{"pipeline/samples", "quantize", "quantize/fakequant", "quantize/train", "models/dataset", "internal/par"}},
	{"pipeline/options", []string{"pipeline/event", "pipeline/selection/policy", "calibrate", "export", "models", "quantize"}}, // what their values may be
	{"pipeline/event", nil},
	{"quantize/search", []string{"quantize"}},
	{"pipeline/evaluation/metric", []string{"quantize", "onnx", "internal/engine/loss", "internal/ort", "internal/tensor", "export/comparison"}},
	{"pipeline/selection/policy", []string{"quantize", "internal/file"}},
	{"pipeline/delivery/verification", []string{
		"pipeline/network/partition", "pipeline/evaluation/session", "export", "onnx", "quantize/integer", "internal/ort", "internal/par",
		"internal/tensor", "export/comparison", "export/metadata",
	}},
	{"pipeline/evaluation/session", []string{"quantize", "onnx", "onnx/op", "internal/ort", "internal/tensor", "internal/file", "internal/memory", "internal/par"}},
	{"pipeline/network/partition", []string{"export/metadata", "internal/engine/decode", "internal/tensor", "onnx", "onnx/op", "onnx/pass", "onnx/shape", "quantize"}},
	{"export", []string{"onnx", "onnx/op", "onnx/shape", "quantize", "internal/tensor", "export/internal/qdq", "export/lint", "export/metadata"}},
	{"export/lint", []string{"export/internal/qdq", "export/metadata", "internal/tensor", "onnx", "onnx/op", "quantize"}},
	{"export/comparison", []string{"export/internal/qdq", "export/metadata", "internal/tensor", "onnx"}},
	{"export/metadata", []string{"onnx"}},
	{"export/internal/qdq", []string{"internal/tensor", "onnx", "onnx/op", "quantize"}},
	{"calibrate", []string{"quantize", "onnx", "onnx/op", "onnx/pass", "internal/engine", "internal/engine/decode", "internal/tensor", "internal/par"}},
	{"quantize/train", []string{"quantize", "quantize/fakequant", "internal/engine", "internal/engine/*", "internal/kernel", "internal/par", "internal/safetensors"}},
	{"quantize/fakequant", []string{"quantize", "internal/engine", "internal/engine/ops", "internal/kernel", "internal/tensor"}},
	{"quantize/rounding", []string{"quantize", "quantize/fakequant", "quantize/train", "internal/engine", "internal/kernel", "internal/par", "internal/tensor"}},
	{"quantize/integer", []string{"quantize", "onnx", "onnx/op", "internal/kernel", "internal/par", "internal/tensor"}},
	{"quantize", []string{"onnx", "onnx/op", "internal/tensor", "internal/file", "internal/safetensors"}},
	{"models/internal/makeexample", nil}, // the three make the embedded example; no package imports them
	{"models/internal/trainexample", []string{
		"models", "models/dataset", "models/internal/fashion", "onnx", "onnx/pass", "internal/engine", "internal/engine/*", "internal/par",
		"internal/tensor",
	}},
	{"models/internal/fashion", []string{"models", "onnx", "internal/tensor"}},
	{"models/dataset", []string{"models", "internal/file", "internal/memory", "internal/tensor"}},
	{"models", []string{"onnx"}},
	{"internal/engine/decode", []string{"onnx", "onnx/op", "internal/engine", "internal/engine/ops", "internal/tensor"}},
	{"internal/engine/*", []string{"internal/engine", "internal/kernel", "internal/tensor", "internal/par"}},
	{"internal/engine", []string{"internal/engine/grad", "internal/kernel", "internal/memory", "internal/tensor", "internal/par"}},
	{"onnx/pass", []string{"onnx", "onnx/op", "onnx/shape", "internal/tensor"}},
	{"onnx/shape", []string{"onnx", "onnx/op", "internal/tensor"}},
	{"onnx/internal/onnxpb", nil},
	{"onnx/op", nil},
	{"onnx", []string{"onnx/internal/onnxpb", "onnx/op", "internal/tensor", "internal/file"}},
	{"internal/ort", []string{"internal/tensor"}},
	{"internal/safetensors", []string{"internal/file", "internal/tensor"}},
	{"internal/kernel", []string{"internal/par"}},
	{"internal/file", nil},
	{"internal/memory", nil},
	{"internal/par", nil},
	{"internal/tensor", nil},
	{"internal/testkit/mutation", []string{"onnx", "internal/tensor"}},
	{"internal/testkit/sample", []string{"models", "onnx", "internal/tensor"}},
	{"internal/testkit/cpumask/mask", []string{"internal/ort", "internal/testkit/cpumask"}},
	{"internal/testkit/cpumask", nil},
	{"internal/testkit/drawn", []string{"onnx", "onnx/shape", "internal/tensor"}},
	{"internal/testkit/stages", []string{
		"internal/ort", "internal/par", "internal/testkit", "internal/testkit/sample", "onnx", "pipeline/calibration", "pipeline/event",
		"pipeline/network", "pipeline/options", "pipeline/record", "pipeline/samples", "pipeline/stage", "pipeline/supernet",
		"pipeline/training", "pipeline/workspace",
	}}, // the first stages, for tests of those behind
	{"internal/testkit", nil},
	{"internal/archtest", nil},
}

// anyTest may be imported by the tests of every package: what makes inputs for them, and what they compare with.
var anyTest = []string{
	"internal/testkit", "internal/testkit/cpumask", "internal/testkit/drawn", "internal/testkit/mutation", "internal/testkit/sample", "models", "models/dataset", "onnx", "onnx/pass", "onnx/shape",
	"internal/engine/decode", "internal/ort", "internal/par",
}

// testRules says what tests may import besides, and besides what their package may.
var testRules = []rule{
	{"cmd/fault", []string{"cmd", "cmd/exit", "pipeline", "pipeline/event", "pipeline/options", "pipeline/workspace", "internal/file", "internal/tensor", "internal/testkit/program"}},                                                   // a lock that another process holds; damaged weights
	{"cmd/job", []string{"cmd", "cmd/exit", "pipeline", "pipeline/record", "pipeline/report", "pipeline/doctor", "pipeline/workspace", "quantize", "internal/engine", "internal/kernel", "internal/tensor", "internal/testkit/program"}}, // paths that are forced; codes and their types; random networks
	{"cmd", []string{"internal/testkit/program", "internal/file"}},             // runs the program; work that is about to save
	{"export", []string{"calibrate", "export/comparison", "quantize/integer"}}, // a supernet to export; what files are compared with
	{"internal/archtest", []string{"onnx/op", "internal/engine/ops"}},          // operators that have to have rows
	{"internal/engine", []string{"internal/engine/ops"}},                       // graphs to compile
	{"pipeline/supernet/norms", []string{"internal/tensor"}},                   // statistics by hand
	{"pipeline", []string{"pipeline/report"}},                                  // the example of the documentation
	{"pipeline/report", []string{"pipeline/evaluation/metric"}},                // outputs of files
	// what the first stages leave
	{"pipeline/delivery/verification", []string{"internal/testkit/stages", "internal/engine/decode", "pipeline/samples", "pipeline/stage"}},
	{"pipeline/evaluation/scoring", []string{"internal/testkit/stages", "pipeline/evaluation"}},
	{"pipeline/selection", []string{"internal/testkit/stages"}},
	{"quantize/train", []string{"calibrate", "quantize/integer", "internal/tensor"}}, // a supernet to train; what the simulation is compared with; networks built by hand
}

type rule struct {
	pkg     string
	imports []string
}

type listed struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
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
			if !allows(rules[i].imports, dep) {
				t.Errorf("%s imports %s; it may import %s", name, dep, strings.Join(rules[i].imports, ", "))
			}
		}
	}
}

// TestUnusedRules: an arrow that no package takes any more, and a rule for no package, go.
func TestUnusedRules(t *testing.T) {
	ps := packages(t)
	for i, r := range rules {
		mine := slices.DeleteFunc(slices.Clone(ps), func(p listed) bool {
			return slices.IndexFunc(rules, func(r rule) bool { return fits(r.pkg, local(p.ImportPath)) }) != i
		})
		if len(mine) == 0 {
			t.Errorf("no package is %s: remove its rule", r.pkg)
		}
		for _, to := range r.imports {
			if !slices.ContainsFunc(mine, func(p listed) bool {
				return slices.ContainsFunc(p.Imports, func(path string) bool { return fits(to, local(path)) })
			}) {
				t.Errorf("%s imports no %s: remove it from the rule", r.pkg, to)
			}
		}
	}
}

// TestTestImports: tests reach further than their packages, but not everywhere.
func TestTestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := local(p.ImportPath)
		may := slices.Concat(anyTest, []string{name})
		for _, list := range [][]rule{rules, testRules} {
			if i := slices.IndexFunc(list, func(r rule) bool { return fits(r.pkg, name) }); i >= 0 {
				may = append(may, list[i].imports...)
			}
		}
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			if dep := local(path); dep != "" && !allows(may, dep) {
				t.Errorf("tests of %s import %s; they may import %s", name, dep, strings.Join(may, ", "))
			}
		}
	}
}

// TestSingleDoor: only internal/engine/decode makes engine graphs and looks up operators of documents. Others change
// the graphs that it makes.
func TestSingleDoor(t *testing.T) {
	const door = "internal/engine/decode"
	seen := false
	for _, p := range packages(t) {
		name := local(p.ImportPath)
		for _, file := range p.GoFiles {
			found := uses(t, filepath.Join(p.Dir, file), map[string]string{"internal/engine": "Graph", "internal/engine/ops": "Registry"})
			switch {
			case name == door:
				seen = seen || len(found) > 0
			case len(found) > 0:
				t.Errorf("%s/%s makes %s; only %s does", name, file, strings.Join(found, ", "), door)
			}
		}
	}
	if !seen {
		t.Errorf("%s makes no graph: this test looks for the wrong thing", door)
	}
}

// uses lists literals of a type, new(type) and calls of a function, given by package and name, in a file.
func uses(t *testing.T, path string, of map[string]string) (found []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	from := map[string]string{} // name in the file -> package
	for _, i := range f.Imports {
		dep := local(strings.Trim(i.Path.Value, `"`))
		as := dep[strings.LastIndex(dep, "/")+1:]
		if i.Name != nil {
			as = i.Name.Name
		}
		from[as] = dep
	}
	check := func(e ast.Expr) {
		s, ok := e.(*ast.SelectorExpr)
		if !ok {
			return
		}
		if x, ok := s.X.(*ast.Ident); ok && of[from[x.Name]] == s.Sel.Name {
			found = append(found, x.Name+"."+s.Sel.Name)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			check(n.Type)
		case *ast.CallExpr:
			check(n.Fun)
			if fun, ok := n.Fun.(*ast.Ident); ok && fun.Name == "new" && len(n.Args) == 1 {
				check(n.Args[0])
			}
		}
		return true
	})
	return found
}

func packages(t *testing.T) []listed {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", module+"/...")
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

func allows(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(a string) bool { return fits(a, name) })
}

func fits(pattern, name string) bool {
	if below, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(name, below+"/")
	}
	return pattern == name
}
