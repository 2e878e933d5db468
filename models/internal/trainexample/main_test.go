package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/onnx"
)

// TestRun trains an epoch on the embedded samples: enough to be far from chance, and to write a network.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	out := filepath.Join(t.TempDir(), "x.onnx")
	var log bytes.Buffer
	if err := run(t.Context(), []string{"--data", "../../example", "--out", out, "--epochs", "1"}, &log); err != nil {
		t.Fatal(err)
	}
	var epoch int
	var loss, top1 float64
	if _, err := fmt.Sscanf(log.String(), "epoch %d: loss %f, test top-1 %f", &epoch, &loss, &top1); err != nil || top1 < 50 {
		t.Errorf("%s (%v)", log.String(), err)
	}
	m, err := onnx.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range m.Graph.Nodes() {
		if n.Op() == "BatchNormalization" {
			t.Errorf("%s was not folded", n.Name())
		}
	}
}
