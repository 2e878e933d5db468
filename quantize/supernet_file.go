package quantize

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/safetensors"
)

// epsKey is the metadata entry of a saved supernet that holds Supernet.EPS as JSON.
const epsKey = "org.mpqc.eps"

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
func (s *Supernet) Archive() (*safetensors.Archive, error) {
	eps, err := json.Marshal(s.EPS) // keys come out sorted
	if err != nil {
		return nil, fmt.Errorf("encode epsilons: %w", err)
	}
	return &safetensors.Archive{Arrays: maps.Clone(s.Arrays), Metadata: map[string]string{epsKey: string(eps)}}, nil
}

// LoadSupernet reads what Supernet.Save wrote, or a checkpoint of training.
func LoadSupernet(path string) (*Supernet, error) {
	a, err := safetensors.Load(path)
	if err != nil {
		return nil, err
	}
	s, err := SupernetOf(a)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return s, nil
}

// SupernetOf views an archive as a supernet; arrays with other names stay in it.
func SupernetOf(a *safetensors.Archive) (*Supernet, error) {
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
