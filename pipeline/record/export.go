package record

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/quantize"
)

// Export is the record of an exported file, beside it as NAME.json: verify computes the same from it and the supernet
// alone.
type Export struct {
	Target   string `json:"target"`
	Profile  string `json:"profile"`
	Supernet string `json:"supernet"` // stamp
	Overlay  string `json:"norms"`    // file with the target's own arrays: re-estimated norms, or all that fine-tuning trained
	// OverlaySHA256 is the hash of that file: another search or fine-tuning of the target writes it anew.
	OverlaySHA256 string          `json:"norms_sha256,omitempty"`
	Policy        quantize.Policy `json:"policy"`
	Version       int             `json:"version"` // export.SupernetVersion
}

// Check implements workspace.Document.
func (e *Export) Check(plan *quantize.Plan) error {
	if !slices.Contains(export.Profiles(), e.Profile) {
		return fmt.Errorf("profile %q is none", e.Profile)
	}
	if path.Dir(path.Clean(e.Overlay)) != "search" || !strings.HasSuffix(e.Overlay, ".safetensors") {
		return fmt.Errorf("its arrays lie in %q, not in search/", e.Overlay)
	}
	if plan == nil {
		return nil
	}
	return plan.Validate(e.Policy)
}
