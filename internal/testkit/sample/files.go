package sample

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
)

// Write writes a file and the folders above it.
func Write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Read is what a file holds.
func Read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Noise writes an .npz file with an array of n samples of normally distributed numbers, the same every time.
func Noise(t *testing.T, path, name string, n int, shape tensor.Shape) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, n*shape.Numel())
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	dims := fmt.Sprint(n)
	for _, d := range shape {
		dims += fmt.Sprintf(", %d", d)
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }\n", dims)
	content, err := binary.Append(append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8)), binary.LittleEndian, []byte(header))
	if err == nil {
		content, err = binary.Append(content, binary.LittleEndian, x)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, errCreate := z.Create(name + ".npy")
	if err != nil || errCreate != nil {
		t.Fatal(err, errCreate)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	Write(t, path, out.Bytes())
}
