package workspace

import (
	"encoding/json"
	"fmt"

	"github.com/mpqc/mpqc/quantize"
)

// Document is JSON of a workspace. Nothing is read from one that does not say whether it makes sense.
type Document interface {
	// Check says what cannot be in the document: numbers out of their range, lists of another length than what they belong to
	// and, unless the plan is nil, whatever is not of the plan.
	Check(plan *quantize.Plan) error
}

// ReadJSON decodes a file of the workspace, and checks it against a plan, which may be nil. One that is no JSON, or whose hash is not the
// one on record, is a DamageError, and one without a hash that makes no sense.
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

// WriteJSON replaces a file by indented JSON.
func (w *Workspace) WriteJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return w.Write(name, append(data, '\n'))
}

// ReadSealed is ReadJSON of a file that carries its own checksum, for those that are written without the lock of the workspace.
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
