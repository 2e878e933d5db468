package workspace

import (
	"encoding/json"
	"fmt"

	"github.com/mpqc/mpqc/quantize"
)

// Document is a JSON file of a workspace. Check must pass before anything is read from it.
type Document interface {
	// Check is an error if the document cannot be right: numbers out of range, or lists of the wrong length. Unless the
	// plan is nil, everything must also belong to it.
	Check(plan *quantize.Plan) error
}

// ReadJSON decodes a file of the workspace and checks it against a plan, which may be nil. It is a *DamageError if the
// file is not JSON, if its hash differs from the record, or if it has no record and fails Check.
func (w *Workspace) ReadJSON(name string, plan *quantize.Plan, v Document) error {
	data, err := w.Read(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return &DamageError{Path: w.file(name), Name: name, Err: err}
	}
	err = v.Check(plan)
	switch {
	case err == nil:
		return nil
	case w.Manifest.Artifacts[name] == Artifact{}:
		return &DamageError{Path: w.file(name), Name: name, Err: err}
	}
	return fmt.Errorf("%s: %w", w.file(name), err) // whole, but of another plan or program
}

// WriteJSON replaces a file by v as indented JSON.
func (w *Workspace) WriteJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return w.Write(name, append(data, '\n'))
}

// ReadSealed is ReadJSON for a file that carries its own checksum, because it is written without the lock of the
// workspace.
func (w *Workspace) ReadSealed(name string, plan *quantize.Plan, v Document) error {
	data, err := w.Read(name)
	if err != nil {
		return err
	}
	if err = unseal(data, v); err == nil {
		err = v.Check(plan)
	}
	if err != nil {
		return &DamageError{Path: w.file(name), Name: name, Err: err}
	}
	return nil
}

// WriteSealed is WriteJSON of a struct, for ReadSealed.
func (w *Workspace) WriteSealed(name string, v any) error {
	data, err := seal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return w.Write(name, data)
}
