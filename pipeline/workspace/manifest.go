package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/mpqc/mpqc/pipeline/options"
)

// Manifest records what was done in a workspace. A run reads it first and rewrites it after each stage.
type Manifest struct {
	Version int                   `json:"version"` // of this format
	Mpqc    string                `json:"mpqc"`    // version of the program that wrote it
	Model   ModelInfo             `json:"model"`
	Data    *DataInfo             `json:"data,omitempty"`
	Trained *DataInfo             `json:"trained_on,omitempty"` // data that the supernet was trained on
	Runtime string                `json:"runtime,omitempty"`    // version of onnxruntime
	Options options.Options       `json:"options"`              // as resolved in the last run
	Stages  map[string]StageState `json:"stages"`
	// Artifacts holds the hashes of the files in the workspace, by name. It is nil in manifests of old programs.
	Artifacts map[string]Artifact `json:"artifacts,omitempty"`
}

// ModelInfo identifies the imported file.
type ModelInfo struct {
	Path   string `json:"path"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	// Divided says that the tail was cut off before planning, see partition. Older versions took the whole model.
	Divided bool `json:"divided,omitempty"`
}

// DataInfo describes the data.
type DataInfo struct {
	Path        string `json:"path"`
	Fingerprint string `json:"fingerprint"`
	// Stamp identifies the samples as the model takes them, in their splits.
	Stamp   string `json:"stamp,omitempty"`
	Classes int    `json:"classes"`
	Train   int    `json:"train"`
	Test    int    `json:"test"`
}

// StageState records how a stage ended and what it depended on.
type StageState struct {
	Fingerprint string    `json:"fingerprint"`
	Done        bool      `json:"done"`
	Seconds     float64   `json:"seconds"`
	Finished    time.Time `json:"finished,omitzero"`
	Note        string    `json:"note,omitempty"`
	Steps       int       `json:"steps,omitempty"` // length of the training schedule
	// ISA is the instruction set that computed the stage, or several if training was resumed elsewhere. Equal runs give
	// equal bytes on one instruction set; another one rounds sums in another order.
	ISA string `json:"isa,omitempty"`
	// Stamps is StampsVersion of the program; 0: of an older one, whose fingerprints were made in another way.
	Stamps int `json:"stamps,omitempty"`
}

// StampsVersion rises when fingerprints of stages are made in another way.
const StampsVersion = 2

// manifestVersion rises if an older program could not read a newer manifest.
const manifestVersion = 1

// errNewer is wrapped by the error about a manifest of a newer program.
var errNewer = errors.New("this program is too old")

// parseManifest decodes and checks a manifest.
func parseManifest(data []byte) (Manifest, error) {
	var m Manifest
	if err := unseal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("it is damaged: %w", err)
	}
	if m.Version > manifestVersion {
		return Manifest{}, fmt.Errorf("%w: manifest has version %d, this program reads up to %d", errNewer, m.Version, manifestVersion)
	}
	if m.Stages == nil {
		m.Stages = map[string]StageState{}
	}
	if err := m.check(); err != nil {
		return Manifest{}, fmt.Errorf("it is damaged: %w", err)
	}
	return m, nil
}

// check is an error if a manifest cannot be right.
func (m *Manifest) check() error {
	for _, d := range []*DataInfo{m.Data, m.Trained} {
		if d != nil && min(d.Classes, d.Train, d.Test) < 0 {
			return fmt.Errorf("data of %d classes, %d and %d samples", d.Classes, d.Train, d.Test)
		}
	}
	for name, s := range m.Stages {
		if s.Seconds < 0 || s.Steps < 0 {
			return fmt.Errorf("stage %q took %g seconds for %d steps", name, s.Seconds, s.Steps)
		}
	}
	for name, a := range m.Artifacts {
		if !filepath.IsLocal(filepath.FromSlash(name)) || !recorded(name) {
			return fmt.Errorf("%q is no file of a workspace", name)
		}
		if !isSum(a.SHA256) || a.Next != "" && !isSum(a.Next) {
			return fmt.Errorf("the hash of %q is none", name)
		}
	}
	// What was resolved states more than what can be stated together.
	o := m.Options
	if o.Float {
		o.WeightBits, o.ActivationBits = nil, nil
	}
	if o.Time > 0 {
		o.Epochs = nil
	}
	return o.Validate()
}

// isSum reports whether a text is a SHA-256 in hex.
func isSum(text string) bool {
	sum, err := hex.DecodeString(text)
	return err == nil && len(sum) == sha256.Size
}
