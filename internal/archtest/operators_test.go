package archtest

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/onnx/op"
)

// mostNames is how many operators one list, case or condition may name: more are a trait, and stand in onnx/op.
const mostNames = 2

// makers draw and write networks, and so name operators that they do not tell apart.
var makers = []string{"internal/testkit/*", "internal/tools/*", "models/internal/*"}

// TestOperatorLists: no package keeps a list of operators of its own. Registries map names to functions and are no
// lists.
func TestOperatorLists(t *testing.T) {
	for path, f := range sources(t, append([]string{"onnx/op"}, makers...)) {
		for _, l := range lists(f.file) {
			names := strings.Join(l.names, ", ")
			t.Errorf("%s:%d lists the operators %s: make it a trait in onnx/op", path, f.line(l.at), names)
		}
	}
}

// TestListsAreFound shows what TestOperatorLists looks for, and what it lets pass.
func TestListsAreFound(t *testing.T) {
	tests := []struct {
		name, code string
		found      bool
	}{
		{"slice", `var l = []string{"Relu", "Clip", "Elu"}`, true},
		{"array", `var l = [...]string{"Relu", "Clip", "Elu"}`, true},
		{"set", `var l = map[string]bool{"Relu": true, "Clip": true, "Elu": true}`, true},
		{"empty structs", `var l = map[string]struct{}{"Relu": {}, "Clip": {}, "Elu": {}}`, true},
		{"words", `var l = map[int]string{1: "Relu Clip Elu"}`, true},
		{"case", `func f(op string) bool { switch op { case "Relu", "Clip", "Elu": return true }; return false }`, true},
		{"condition", `func f(op string) bool { return op == "Relu" || op == "Clip" || len(op) > 3 && op == "Elu" }`, true},
		{"unequal", `func f(op string) bool { return op != "Relu" && op != "Clip" && op != "Elu" }`, true},
		{"arguments", `var l = oneOf(op, "Relu", "Clip", "Elu")`, true},
		{"pair", `var l = []string{"Relu", "Clip"}`, false},
		{"other words", `var l = []string{"red", "green", "blue"}`, false},
		{"message", `var l = "there is no Conv, Gemm or MatMul"`, false},
		{"registry", `var l = map[string]rule{"Relu": f, "Clip": f, "Elu": g}`, false},
		{"functions", `var l = map[string]func(){"Relu": f, "Clip": f, "Elu": g}`, false},
		{"dispatch", `func f(op string) { switch op { case "Relu": a(); case "Clip": b(); case "Elu": c() } }`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := parser.ParseFile(token.NewFileSet(), "f.go", "package f\n"+tt.code, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(lists(f)) > 0; got != tt.found {
				t.Errorf("found is %v, want %v", got, tt.found)
			}
		})
	}
}

// TestOperatorsHaveRows: every operator that the engine computes, or that a package tells from others, has a row.
func TestOperatorsHaveRows(t *testing.T) {
	known := rowNames()
	for name := range ops.Registry() {
		if op.Of("", name).Name == "" {
			t.Errorf("internal/engine/ops computes %s, which has no row in onnx/op", name)
		}
	}
	seen := map[string]bool{} // contexts
	others := []string{"onnx/op", "internal/engine", "internal/kernel", "internal/kernel/*", "internal/ort"}
	for path, f := range sources(t, append(others, makers...)) {
		for _, m := range mentions(f.file) {
			seen[m.context] = true
			if !known[m.names[0]] {
				t.Errorf("%s:%d: operator %s has no row in onnx/op", path, f.line(m.at), m.names[0])
			}
		}
	}
	for _, context := range []string{"comparison", "case", "registry", "new node"} {
		if !seen[context] {
			t.Errorf("no %s names an operator: this test looks for the wrong thing", context)
		}
	}
}
