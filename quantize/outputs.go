package quantize

import (
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/internal/tensor"
)

// OutputKind says what an output means, and so how the distance of two networks is measured in it.
type OutputKind string

// Kinds of outputs.
const (
	// Scores are a row of class scores per sample, before a softmax. Their distance is the KL divergence.
	Scores OutputKind = "scores"
	// Values are anything else, such as coordinates, regressions and maps. Their distance is the squared difference
	// relative to the variance.
	Values OutputKind = "values"
)

// OutputKinds are the kinds that a user states, by output name. The entry of "" holds for all others.
type OutputKinds map[string]OutputKind

// ParseOutputKinds parses entries KIND or NAME=KIND. Others are an error.
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

// Of returns the kind of an output of shape s, whose first dimension is the batch. If none is stated, a single row of
// more than one number per sample counts as scores. Only the user can tell such a row from four coordinates.
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
