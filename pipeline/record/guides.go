package record

import (
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// Guides is front.json, written as it grows: the policies near which training draws its random paths.
type Guides struct {
	Stamp       string              `json:"stamp"` // of what it was measured on
	Sensitivity *search.Sensitivity `json:"sensitivity"`
	Front       []quantize.Policy   `json:"front"`
}

// Check implements workspace.Document.
func (d *Guides) Check(plan *quantize.Plan) error {
	if plan != nil {
		for _, p := range d.Front {
			if err := plan.Validate(p); err != nil {
				return err
			}
		}
	}
	if d.Sensitivity == nil {
		return nil
	}
	return d.Sensitivity.Check(plan)
}
