package pipeline

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/mpqc/mpqc/internal/safetensors"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// retraining is the remedy where nothing else helps.
const retraining = "bring it back from a copy, or mpqc compress --retrain trains anew"

// remedy says how an artifact that is damaged is made anew, as a clause.
func (j *job) remedy(name string) string {
	without := func(suffixes ...string) string {
		base := path.Base(name)
		for _, s := range suffixes {
			base = strings.TrimSuffix(base, s)
		}
		return base
	}
	switch folder := path.Dir(name); {
	case name == supernetFile && j.trained():
		return retraining
	case name == codesFile:
		return "remove it, and mpqc compress chooses these codes anew"
	case strings.HasPrefix(name, "float.onnx"), name == importFile:
		return "mpqc import MODEL makes it anew"
	case strings.HasSuffix(name, polishedSuffix):
		return fmt.Sprintf("remove it, and mpqc compress --target %s --polish EPOCHS trains it anew", without(polishedSuffix))
	case folder == "search" && !j.o.Float:
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

// refuse adds to the error of a damaged artifact how it is made anew. What the artifacts of a whole workspace do not fit is the manifest.
func (j *job) refuse(err error) error {
	damage, ok := errors.AsType[*workspace.DamageError](err)
	if !ok {
		return err
	}
	if damage.Remedy != "" {
		return err
	}
	if foreign := j.w.Foreign(); foreign != nil {
		return foreign
	}
	said := *damage
	said.Remedy = j.remedy(damage.Name)
	if errors.Is(err, workspace.ErrChanged) { // the supernet that is kept was trained from it
		said.Remedy = retraining
	}
	return &said
}

// anew reports whether an artifact that takes seconds is to be made anew, since the error is that it is damaged, and says so. Other errors
// come back, and this one where nothing may be written.
func (j *job) anew(err error, stage event.Stage) (bool, error) {
	if !damaged(err) {
		return false, err
	}
	if foreign := j.w.Foreign(); foreign != nil || j.w.ReadOnly {
		return false, j.refuse(err)
	}
	j.warnAnew(stage, err)
	return true, nil
}

// warnAnew says that what is damaged is made anew.
func (j *job) warnAnew(stage event.Stage, err error) {
	j.o.Events.Start(stage, "", "").Warning(err.Error() + "; it is made anew")
}

// reuse reads a document of measurements, false where there is none that can be used. That one is damaged is said: it is measured anew.
func (j *job) reuse(name string, v workspace.Document, stage event.Stage) bool {
	err := j.w.ReadJSON(name, j.plan, v)
	if damaged(err) {
		j.warnAnew(stage, err)
	}
	return err == nil
}

// cached is workspace.Cached in the workspace of the job.
func cached[T any, P interface {
	*T
	workspace.Document
}](j *job, name, key string, measure func() (T, error)) (T, error) {
	return workspace.Cached[T, P](j.w, name, key, j.plan, func(err error) { j.warnAnew(event.StageEval, err) }, measure)
}

// loadModel reads a model of the workspace.
func (j *job) loadModel(name string) (*onnx.Model, error) {
	data, err := j.w.Read(name)
	if err != nil {
		return nil, err
	}
	if beside := name + onnx.DataSuffix; j.w.Has(beside) {
		if err := j.w.Verify(beside); err != nil {
			return nil, err
		}
	}
	file := j.w.Path(filepath.FromSlash(name))
	m, err := onnx.Parse(data, filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", file, err)
	}
	return m, nil
}

// saveModel writes a model to the workspace.
func (j *job) saveModel(name string, m *onnx.Model) error {
	return m.SaveBy(j.w.Path(filepath.FromSlash(name)), func(file string, content func(io.Writer) error) error {
		return j.w.Replace(path.Join(path.Dir(name), filepath.Base(file)), content)
	})
}

// loadArchive reads a safetensors file of the workspace.
func (j *job) loadArchive(name string) (a *safetensors.Archive, err error) {
	err = j.w.Scan(name, func(r io.Reader, size int64) (err error) {
		a, err = safetensors.Read(r, size)
		return err
	})
	if err != nil && !damaged(err) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("load %s: %w", j.w.Path(filepath.FromSlash(name)), err)
	}
	return a, err
}

// damaged reports whether an error is that of a damaged artifact.
func damaged(err error) bool {
	_, ok := errors.AsType[*workspace.DamageError](err)
	return ok
}

// loadArrays reads a supernet, or a part of one, from the workspace.
func (j *job) loadArrays(name string) (*quantize.Supernet, error) {
	a, err := j.loadArchive(name)
	if err != nil {
		return nil, err
	}
	s, err := quantize.SupernetOf(a)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", j.w.Path(filepath.FromSlash(name)), err)
	}
	return s, nil
}

// saveArrays writes a supernet, or a part of one, to the workspace.
func (j *job) saveArrays(name string, s *quantize.Supernet) error {
	content, err := s.Content()
	if err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	return j.w.Replace(name, content)
}

// checkOrphan refuses a supernet that the manifest knows nothing of: it would be trained over. Programs that recorded no hashes left
// no such thing.
func (j *job) checkOrphan() error {
	files := j.w.Manifest.Artifacts
	if _, known := files[supernetFile]; files == nil || known || j.o.Retrain || !j.w.Has(supernetFile) {
		return nil
	}
	return fmt.Errorf("%s is not on record in manifest.json, which is new, or that of another workspace: bring back the right one, "+
		"begin anew in another workspace with --workspace DIR, or train over it with --retrain", j.w.Path(supernetFile))
}

// warnRestored says that the manifest was damaged or gone.
func (j *job) warnRestored() {
	if err := j.w.Restored; err != nil {
		j.o.Events.Start(event.StageImport, "", "").Warning(fmt.Sprintf("%v; going on with its backup", err))
	}
}

// changedFile says of a file in out/ that it is not as it was exported, "" if it is.
func (j *job) changedFile(file string) string {
	name := "out/" + filepath.Base(file)
	was, here := j.w.Manifest.Artifacts[name]
	lies, err := os.Stat(j.w.Path(filepath.FromSlash(name)))
	stated, failed := os.Stat(file)
	if !here || err != nil || failed != nil || !os.SameFile(lies, stated) {
		return ""
	}
	if sum, err := j.w.Sum(name); err != nil || sum == was.SHA256 || sum == was.Next {
		return ""
	}
	return file + " is not the file that was exported: its SHA-256 is another one than in manifest.json; it is compared as it is"
}
