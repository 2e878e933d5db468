package record

import (
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/export/comparison"
)

// MismatchError says that an exported file does not compute what the simulation does.
type MismatchError struct {
	Path      string
	First     string // the first code that rounding does not explain, in graph order
	Different int64
	Compared  int64
	// Output is the element of a float output that is farthest from the simulation's, where one lies beyond the
	// tolerance.
	Output  *comparison.OutputDivergence
	Missing []string // tensors that only one side has
	// Whole says how the outputs of the whole file are off, "" if they lie within the bound of the profile.
	Whole string
	// Saturating are the layers with pairs of 8-bit weights that saturate on x86 CPUs without VNNI.
	Saturating []string
}

// Error names the file, how many codes differ, the first that does, the output that is wrong, and the reason that was
// found.
func (e *MismatchError) Error() string {
	text := "verify " + e.Path + ": "
	switch {
	case e.Different > 0:
		text += fmt.Sprintf("%d of %d codes differ from the simulation", e.Different, e.Compared)
	case e.Compared > 0:
		text += fmt.Sprintf("all %d codes are those of the simulation", e.Compared)
	default:
		text += "it differs from the simulation"
	}
	if e.First != "" {
		text += "; first " + e.First
	}
	if e.Output != nil {
		text += "; " + e.Output.String()
	}
	if e.Whole != "" {
		text += "; " + e.Whole
	}
	if len(e.Missing) > 0 {
		text += "; cannot compare " + strings.Join(e.Missing, ", ")
	}
	if len(e.Saturating) > 0 {
		text += fmt.Sprintf("; pairs of 8-bit weights saturate on x86 CPUs without VNNI in %s: export the file anew, which bounds them", someOf(e.Saturating))
	}
	return text
}

// shownLayers bounds the names in a message.
const shownLayers = 5

// someOf lists names, the first of them if there are many.
func someOf(names []string) string {
	if n := len(names) - shownLayers; n > 0 {
		return strings.Join(names[:shownLayers], ", ") + fmt.Sprintf(" and %d layers more", n)
	}
	return strings.Join(names, ", ")
}
