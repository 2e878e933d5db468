package stage

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// retraining is the remedy where nothing else helps.
const retraining = "bring it back from a copy, or mpqc compress --retrain trains anew"

// Remedy says how an artifact that is damaged is made anew, as a clause.
func (e *Env) Remedy(name string) string {
	without := func(suffixes ...string) string {
		base := path.Base(name)
		for _, s := range suffixes {
			base = strings.TrimSuffix(base, s)
		}
		return base
	}
	switch folder := path.Dir(name); {
	case name == SupernetFile && e.Trained():
		return retraining
	case name == CodesFile:
		return "remove it, and mpqc compress chooses these codes anew"
	case strings.HasPrefix(name, "float.onnx"), name == ImportFile:
		return "mpqc import MODEL makes it anew"
	case strings.HasSuffix(name, TunedSuffix):
		return fmt.Sprintf("remove it, and mpqc compress --target %s --polish EPOCHS trains it anew", without(TunedSuffix))
	case folder == "search" && !e.Workspace.Manifest.Options.Float:
		target := without(".json", ".safetensors", ".free", ".either", ".norms")
		if strings.HasPrefix(target, "policy-") {
			return "mpqc compress --policy FILE makes it anew"
		}
		return fmt.Sprintf("mpqc search --target %s makes it anew", target)
	case folder == "out" && path.Ext(name) == ".json":
		profile := strings.TrimPrefix(path.Ext(without(".json", ".packed")), ".")
		return fmt.Sprintf("mpqc export --profile %s makes it anew", profile)
	}
	return "mpqc compress makes it anew"
}

// Refuse adds to the error of a damaged artifact how it is made anew. What the artifacts of a whole workspace do not
// fit is the manifest.
func (e *Env) Refuse(err error) error {
	damage, ok := errors.AsType[*workspace.DamageError](err)
	if !ok {
		return err
	}
	if damage.Remedy != "" {
		return err
	}
	if foreign := e.Workspace.Foreign(); foreign != nil {
		return foreign
	}
	said := *damage
	said.Remedy = e.Remedy(damage.Name)
	if errors.Is(err, workspace.ErrChanged) { // the supernet that is kept was trained from it
		said.Remedy = retraining
	}
	return &said
}

// Anew reports whether an artifact that takes seconds is to be made anew, since the error is that it is damaged, and
// says so. Other errors come back, and this one where nothing may be written.
func (e *Env) Anew(err error, stage event.Stage) (bool, error) {
	if !Damaged(err) {
		return false, err
	}
	if foreign := e.Workspace.Foreign(); foreign != nil || e.Workspace.ReadOnly {
		return false, e.Refuse(err)
	}
	e.WarnAnew(stage, err)
	return true, nil
}

// WarnAnew says that what is damaged is made anew.
func (e *Env) WarnAnew(stage event.Stage, err error) {
	e.Warn(stage, "", err.Error()+"; it is made anew")
}

// Damaged reports whether an error is that of a damaged artifact.
func Damaged(err error) bool {
	_, ok := errors.AsType[*workspace.DamageError](err)
	return ok
}

// Reuse reads a document of measurements, false where there is none that can be used. That one is damaged is said: it
// is measured anew.
func (e *Env) Reuse(name string, plan *quantize.Plan, v workspace.Document, stage event.Stage) bool {
	err := e.Workspace.ReadJSON(name, plan, v)
	if Damaged(err) {
		e.WarnAnew(stage, err)
	}
	return err == nil
}

// CheckOrphan refuses a supernet that the manifest knows nothing of: it would be trained over. Programs that recorded
// no hashes left no such thing.
func (e *Env) CheckOrphan(retrain bool) error {
	files := e.Workspace.Manifest.Artifacts
	if _, known := files[SupernetFile]; files == nil || known || retrain || !e.Workspace.Has(SupernetFile) {
		return nil
	}
	return fmt.Errorf("%s is not on record in manifest.json, which is new, or that of another workspace: bring back the right one, "+
		"begin anew in another workspace with --workspace DIR, or train over it with --retrain", e.Workspace.Path(SupernetFile))
}

// WarnRestored says that the manifest was damaged or gone.
func (e *Env) WarnRestored() {
	if err := e.Workspace.Restored; err != nil {
		e.Warn(event.StageImport, "", fmt.Sprintf("%v; going on with its backup", err))
	}
}
