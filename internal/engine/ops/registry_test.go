package ops_test

import (
	"testing"

	"github.com/mpqc/mpqc/internal/engine/ops"
)

// elsewhere are operators that are compared outside testdata/cases.json, and where.
var elsewhere = map[string]string{
	"Dropout": "it is Identity, by the same builder",
	"Split":   "split_test.go: a case has one output",
}

// TestEveryOperator: an operator that is registered is compared with onnxruntime, forward and backward.
func TestEveryOperator(t *testing.T) {
	have := map[string]bool{}
	for _, c := range loadCases(t) {
		have[c.Op] = true
	}
	for op := range ops.Registry() {
		if !have[op] && elsewhere[op] == "" {
			t.Errorf("testdata/cases.json has no case of %s: add one to make_cases.py", op)
		}
	}
	for op := range elsewhere {
		if have[op] {
			t.Errorf("%s has a case: it is no exception any more", op)
		}
	}
}
