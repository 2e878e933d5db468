// Package optim updates parameters from their gradients: SGD and Adam as PyTorch defines them, element-wise gradient
// clipping, and moving averages. A parameter that no policy of the step used (Param.Used is false) keeps its value and
// its optimizer state, like one without gradient in PyTorch.
package optim

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Array is one named piece of optimizer state, for checkpoints. Data is the state itself, not a copy.
type Array struct {
	Name  string
	Shape tensor.Shape
	Data  []float32
}

// load copies arrays of a checkpoint to the state arrays of the same names. It is an error if one is missing or does
// not fit; nothing is changed then.
func load(what string, state, from []Array) error {
	byName := make(map[string]Array, len(from))
	for _, a := range from {
		byName[a.Name] = a
	}
	for _, s := range state {
		a, ok := byName[s.Name]
		if !ok {
			return fmt.Errorf("load %s state: array %q is missing", what, s.Name)
		}
		if len(a.Data) != len(s.Data) {
			return fmt.Errorf("load %s state: array %q has %d elements, %d wanted", what, s.Name, len(a.Data), len(s.Data))
		}
	}
	for _, s := range state {
		copy(s.Data, byName[s.Name].Data)
	}
	return nil
}

// unique is an error if two parameters share a name, since checkpoints identify them by name.
func unique(what string, params []*engine.Param) error {
	seen := make(map[string]bool, len(params))
	for _, p := range params {
		if seen[p.Name] {
			return fmt.Errorf("make %s: two parameters are named %q", what, p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

// zeros returns one state array of zeros per parameter.
func zeros(prefix string, params []*engine.Param) []Array {
	list := make([]Array, len(params))
	for i, p := range params {
		list[i] = Array{Name: prefix + p.Name, Shape: p.Shape.Clone(), Data: make([]float32, len(p.Data))}
	}
	return list
}
