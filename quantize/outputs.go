package quantize

import (
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/internal/tensor"
)

// OutputKind says what an output means, and with that how far two networks are apart in it.
type OutputKind string

// Kinds of outputs.
const (
	// Scores are a row of class scores per picture, before a softmax: their distance is the divergence of the distributions.
	Scores OutputKind = "scores"
	// Values are anything else, such as coordinates, regressions and maps: their distance is the squared difference, relative
	// to how much the values vary.
	Values OutputKind = "values"
)

// OutputKinds are the kinds that a user states, by output name; that of "" is for all others.
type OutputKinds map[string]OutputKind

// ParseOutputKinds reads entries KIND or NAME=KIND.
func ParseOutputKinds(entries []string) (OutputKinds, error) {
	kinds := OutputKinds{}
	for _, e := range entries {
		name, kind := "", e
		if i := strings.LastIndex(e, "="); i >= 0 {
			name, kind = e[:i], e[i+1:]
			if name == "" {
				return nil, fmt.Errorf("output kind %q: want NAME=KIND", e)
			}
		}
		switch k := OutputKind(kind); k {
		case Scores, Values:
			if old, twice := kinds[name]; twice && old != k {
				return nil, fmt.Errorf("output kind %q: %s was stated before", e, old)
			}
			kinds[name] = k
		default:
			return nil, fmt.Errorf("output kind %q: %q is not scores or values", e, kind)
		}
	}
	return kinds, nil
}

// Of is the kind of an output, the first dimension of whose shape counts pictures. Where nothing is stated, more than one
// number per picture in a single row are scores. Shapes cannot tell such a row from four coordinates: the user can.
func (k OutputKinds) Of(name string, s tensor.Shape) OutputKind {
	if kind, ok := k[name]; ok {
		return kind
	}
	if kind, ok := k[""]; ok {
		return kind
	}
	if len(s) >= 2 && s[1] > 1 && s[2:].Numel() == 1 {
		return Scores
	}
	return Values
}
