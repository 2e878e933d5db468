// Package safetensors reads and writes files of named arrays in the safetensors format, of float32 numbers and of
// 8-bit codes. A sealed file says by itself whether it is whole. What the arrays mean is not known here.
package safetensors

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Array is a named array, row-major: float32 numbers, or codes.
type Array struct {
	Shape tensor.Shape
	Data  []float32
	Codes []int8 // nil: Data holds it
}

// Len is the number of elements.
func (a Array) Len() int { return max(len(a.Data), len(a.Codes)) }

// Archive is the content of a safetensors file: arrays and text entries.
type Archive struct {
	Arrays   map[string]Array
	Metadata map[string]string
}

// Save writes the archive to a safetensors file, which is there in full or not at all. Equal archives give equal bytes.
func (a *Archive) Save(path string) error {
	content, err := a.Content()
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return file.Write(path, content)
}

// Content is what writes the archive as the content of a safetensors file.
func (a *Archive) Content() (func(io.Writer) error, error) {
	header, names, err := encodeHeader(a)
	return func(w io.Writer) error { return writeArchive(w, header, names, a.Arrays) }, err
}

// Load reads a safetensors file. It trusts nothing in it: sizes are checked against the file before memory is
// taken, and tensors must cover the data exactly once.
func Load(path string) (*Archive, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	a, err := Read(f, size)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return a, nil
}

// sortedNames lists the arrays in the order in which they are written.
func sortedNames(arrays map[string]Array) []string { return slices.Sorted(maps.Keys(arrays)) }
