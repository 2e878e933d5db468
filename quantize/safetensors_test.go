package quantize

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

func TestSaveRefusesWrongShape(t *testing.T) {
	s := &Supernet{Arrays: map[string]Array{"x": {Shape: tensor.Shape{3}, Data: []float32{1}}}}
	if err := s.Save(filepath.Join(t.TempDir(), "x")); err == nil {
		t.Error("saved an array that does not fit its shape")
	}
}

func archive(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestLoadRejects(t *testing.T) {
	tests := []struct {
		name, want string
		data       []byte
	}{
		{"empty file", "EOF", nil},
		{"length beyond the file", "does not fit", binary.LittleEndian.AppendUint64(nil, 1<<40)},
		{"length that overflows", "does not fit", binary.LittleEndian.AppendUint64(nil, math.MaxUint64)},
		{"no JSON", "header", archive("{", 0)},
		{"other type", "only F32 and I8", archive(`{"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, 4)},
		{"codes of another size", "cannot be", archive(`{"x":{"dtype":"I8","shape":[2],"data_offsets":[0,8]}}`, 8)},
		{"negative dimension", "cannot be", archive(`{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4)},
		{"overflowing shape", "cannot be", archive(`{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0)},
		{"beyond the data", "cannot be", archive(`{"x":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}`, 8)},
		{"reversed offsets", "cannot be", archive(`{"x":{"dtype":"F32","shape":[0],"data_offsets":[4,0]}}`, 4)},
		{"gap", "starts at", archive(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8)},
		{"overlap", "starts at", archive(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4)},
		{"rest", "belong to no array", archive(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8)},
		{"metadata of another type", "metadata", archive(`{"__metadata__":{"a":1}}`, 0)},
		{"epsilons that are none", "epsilons", archive(`{"__metadata__":{"org.mpqc.eps":"x"}}`, 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadSupernet(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// FuzzReadArchive wants an error, or an archive that is the same after it was written and read again.
func FuzzReadArchive(f *testing.F) {
	f.Add(archive(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4))
	f.Add(archive(`{"x":{"dtype":"I8","shape":[3],"data_offsets":[0,3]}}`, 3))
	f.Add(archive(`{"__metadata__":{"a":"b"}}`, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ReadArchive(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for name, v := range a.Arrays {
			if v.Shape.Numel() != v.Len() {
				t.Errorf("array %q of shape %s has %d elements", name, v.Shape, v.Len())
			}
		}
		if s, err := a.Supernet(); err == nil && s.EPS == nil {
			t.Error("a supernet without epsilons")
		}
		first := written(t, a)
		again, err := ReadArchive(bytes.NewReader(first), int64(len(first)))
		if err != nil {
			t.Fatalf("does not read back: %v", err)
		}
		if second := written(t, again); !bytes.Equal(first, second) || len(a.Arrays) != len(again.Arrays) {
			t.Fatalf("the second writing differs: %q, %q", first, second)
		}
	})
}

func written(t *testing.T, a *Archive) []byte {
	t.Helper()
	header, names, err := encodeHeader(a)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := writeArchive(&b, header, names, a.Arrays); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
