package quantize

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/safetensors"
	"github.com/mpqc/mpqc/internal/tensor"
)

func sampleSupernet() *Supernet {
	return &Supernet{
		Arrays: map[string]Array{
			"weight./a/Conv":    {Shape: tensor.Shape{2, 1, 1, 3}, Data: []float32{1, -2, 0.5, float32(math.Inf(1)), 1e-40, -0}},
			"step.a.x\"1.4":     {Shape: tensor.Shape{1}, Data: []float32{0.25}},
			"code./a/Conv.3":    {Shape: tensor.Shape{1, 3}, Codes: []int8{-4, 0, 3}},
			"scalar":            {Shape: tensor.Shape{}, Data: []float32{7}},
			"empty":             {Shape: tensor.Shape{0, 4}, Data: []float32{}},
			"sgd.momentum.rest": {Shape: tensor.Shape{2}, Data: []float32{1, 2}},
		},
		EPS: map[string]float32{"/a/Conv": 1e-5, "b": 1e-3},
	}
}

func TestSupernetRoundTrip(t *testing.T) {
	s := sampleSupernet()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors")
	for _, path := range []string{a, b} {
		if err := s.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := LoadSupernet(a)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, got); d != "" {
		t.Error(d)
	}
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Error("two files of one supernet differ")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("%d files in the folder, %v", len(left), err)
	}
}

// TestSupernetOf: an archive is a supernet with epsilons, which may be none, or an error says which of them cannot be.
func TestSupernetOf(t *testing.T) {
	for eps, want := range map[string]string{
		"":          "",
		"null":      "",
		`{"a":0.1}`: "",
		"x":         "decode epsilons",
		`{"a":-1}`:  `epsilon of layer "a"`,
	} {
		a := &safetensors.Archive{Metadata: map[string]string{}}
		if eps != "" {
			a.Metadata[epsKey] = eps
		}
		s, err := SupernetOf(a)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("epsilons %s: error %v, want one with %q", eps, err, want)
			}
			continue
		}
		if err != nil || s.EPS == nil {
			t.Errorf("epsilons %s: %v, %v", eps, s, err)
		}
	}
}
