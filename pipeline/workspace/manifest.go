package workspace

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mpqc/mpqc/pipeline/options"
)

// Manifest records what was done in a workspace. It is the first thing a run reads and is rewritten after each stage.
type Manifest struct {
	Version int                   `json:"version"` // of this format
	Mpqc    string                `json:"mpqc"`    // version of the program that wrote it
	Model   ModelInfo             `json:"model"`
	Data    *DataInfo             `json:"data,omitempty"`
	Trained *DataInfo             `json:"trained_on,omitempty"` // the pictures of the supernet
	Runtime string                `json:"runtime,omitempty"`    // version of onnxruntime
	Options options.Options       `json:"options"`              // as resolved in the last run
	Stages  map[string]StageState `json:"stages"`
}

// ModelInfo identifies the imported file.
type ModelInfo struct {
	Path   string `json:"path"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	// Divided: what stands behind the last layer was taken off before planning, see division. Older versions took all.
	Divided bool `json:"divided,omitempty"`
}

// DataInfo describes the pictures.
type DataInfo struct {
	Path        string `json:"path"`
	Fingerprint string `json:"fingerprint"`
	// Stamp identifies the pictures as the model takes them, in their splits.
	Stamp   string `json:"stamp,omitempty"`
	Classes int    `json:"classes"`
	Train   int    `json:"train"`
	Test    int    `json:"test"`
}

// StageState says how a stage ended and what it depended on.
type StageState struct {
	Fingerprint string    `json:"fingerprint"`
	Done        bool      `json:"done"`
	Seconds     float64   `json:"seconds"`
	Finished    time.Time `json:"finished,omitzero"`
	Note        string    `json:"note,omitempty"`
	Steps       int       `json:"steps,omitempty"` // length of the training schedule
	// ISA is the instruction set that computed the stage, several where training went on elsewhere. Equal runs give equal
	// bytes on one instruction set; another one rounds sums in another order.
	ISA string `json:"isa,omitempty"`
}

// manifestVersion rises when an older program could not read a newer manifest.
const manifestVersion = 1

func parseManifest(data []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("parse manifest: %w", err)
	}
	if m.Version > manifestVersion {
		return Manifest{}, fmt.Errorf("manifest has version %d, this program reads up to %d", m.Version, manifestVersion)
	}
	if m.Stages == nil {
		m.Stages = map[string]StageState{}
	}
	return m, nil
}
