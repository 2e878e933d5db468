package workspace

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/pipeline/event"
)

// Finished reports whether a stage is done with this fingerprint and its artifact exists.
func (w *Workspace) Finished(stage event.Stage, fingerprint, artifact string) bool {
	s := w.Manifest.Stages[string(stage)]
	return s.Done && s.Fingerprint == fingerprint && w.Has(artifact)
}

// Has reports whether an artifact exists.
func (w *Workspace) Has(artifact string) bool {
	_, err := os.Stat(w.Path(filepath.FromSlash(artifact)))
	return err == nil
}

// End records in the manifest that a stage is done, and saves it.
func (w *Workspace) End(stage event.Stage, fingerprint string, seconds float64, note string) error {
	w.Manifest.Stages[string(stage)] = StageState{
		ISA: w.ISA(stage), Fingerprint: fingerprint, Done: true, Seconds: seconds, Finished: time.Now().UTC().Truncate(time.Second), Note: note, Stamps: StampsVersion,
	}
	return w.Save()
}

// ISA returns the instruction set of this run. For a stage in progress it is preceded by those that computed it so far.
func (w *Workspace) ISA(stage event.Stage) string {
	now := kernel.Active().String()
	s := w.Manifest.Stages[string(stage)]
	if s.Done || s.ISA == "" || slices.Contains(strings.Split(s.ISA, ", "), now) {
		return now
	}
	return s.ISA + ", " + now
}
