package quantize

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/internal/file"
)

// epsKey is the metadata entry of a saved supernet that holds Supernet.EPS as JSON.
const epsKey = "org.mpqc.eps"

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

// LoadArchive reads a safetensors file. It trusts nothing in it: sizes are checked against the file before memory is
// taken, and tensors must cover the data exactly once.
func LoadArchive(path string) (*Archive, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	a, err := ReadArchive(f, size)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return a, nil
}

// Save writes the supernet to a safetensors file, atomically.
func (s *Supernet) Save(path string) error {
	content, err := s.Content()
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return file.Write(path, content)
}

// Content is what writes the supernet as the content of a safetensors file.
func (s *Supernet) Content() (func(io.Writer) error, error) {
	a, err := s.Archive()
	if err != nil {
		return nil, err
	}
	return a.Content()
}

// Archive is the supernet as the content of a file. The arrays are shared, the maps are not.
func (s *Supernet) Archive() (*Archive, error) {
	eps, err := json.Marshal(s.EPS) // keys come out sorted
	if err != nil {
		return nil, fmt.Errorf("encode epsilons: %w", err)
	}
	return &Archive{Arrays: maps.Clone(s.Arrays), Metadata: map[string]string{epsKey: string(eps)}}, nil
}

// LoadSupernet reads what Supernet.Save wrote, or a checkpoint of training.
func LoadSupernet(path string) (*Supernet, error) {
	a, err := LoadArchive(path)
	if err != nil {
		return nil, err
	}
	s, err := a.Supernet()
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return s, nil
}

// Supernet views the archive as a supernet; arrays with other names stay in it.
func (a *Archive) Supernet() (*Supernet, error) {
	s := &Supernet{Arrays: a.Arrays, EPS: map[string]float32{}}
	text, ok := a.Metadata[epsKey]
	if !ok {
		return s, nil
	}
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&s.EPS); err != nil {
		return nil, fmt.Errorf("decode epsilons: %w", err)
	}
	for layer, eps := range s.EPS {
		if eps < 0 { // JSON has neither NaN nor infinity
			return nil, fmt.Errorf("the epsilon of layer %q is %g", layer, eps)
		}
	}
	if s.EPS == nil {
		s.EPS = map[string]float32{}
	}
	return s, nil
}

// sortedNames lists the arrays in the order in which they are written.
func sortedNames(arrays map[string]Array) []string { return slices.Sorted(maps.Keys(arrays)) }
