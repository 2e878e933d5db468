package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network/partition"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// Import reads a model, normalises it and writes a workspace that later stages work in.
func Import(ctx context.Context, o Options) (r *ImportResult, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Workspace == "" {
		o.Workspace = workspace.For(o.Model)
	}
	j, err := openJob(o)
	if err != nil {
		return nil, err
	}
	defer j.close()
	defer func() { j.takeBack(err) }()
	if err := j.importModel(ctx); err != nil {
		return nil, err
	}
	if j.replanned != "" {
		j.w.Manifest.Options = j.o
	}
	if err := j.replan(); err != nil {
		return nil, err
	}
	r = &ImportResult{}
	if j.w.ReadJSON(importFile, j.floatPlan, r) != nil { // of another program, which had another plan
		described := j.describe()
		r = &described
		if err := j.w.WriteJSON(importFile, described); err != nil {
			return nil, err
		}
	}
	r.Workspace = j.w.Dir()
	return r, nil
}

const (
	floatFile  = "float.onnx"
	importFile = "import.json"
	coreFile   = "core.onnx" // the part of float.onnx that is trained, where it is too large for memory and not all of it
)

// importModel is the import stage: float.onnx and import.json. Without a model path it opens what is there.
func (j *job) importModel(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if j.stated.Model == "" {
		return j.openImported(ctx)
	}
	info, err := os.Stat(j.stated.Model)
	switch {
	case errors.Is(err, fs.ErrNotExist) && j.stated.Model != "-":
		return fmt.Errorf("%w: model %s does not exist", ErrUsage, j.stated.Model)
	case err == nil && info.IsDir():
		return fmt.Errorf("%w: model %s is a folder; name the .onnx file in it", ErrUsage, j.stated.Model)
	}
	if err := file.Check(j.stated.Model, false); err != nil {
		return fmt.Errorf("%w: model %s: %w", ErrUsage, j.stated.Model, err)
	}
	sum, err := hashModel(ctx, j.stated.Model)
	if err != nil {
		return err
	}
	if err := j.checkModel(sum); err != nil {
		return err
	}
	for _, outputs := range []bool{false, j.o.Outputs} {
		stamp, err := j.importPrint(sum, outputs)
		if err != nil {
			return err
		}
		if j.w.Finished(event.StageImport, stamp, floatFile) && j.w.Has(importFile) {
			return j.openImported(ctx)
		}
	}
	rep := j.o.Events.Start(event.StageImport, "", "reading "+j.stated.Model)
	m, err := readModel(ctx, j.stated.Model)
	if err != nil {
		return err
	}
	if err = j.setFloat(m, j.stated.Model, partition.CheckBatch, partition.CheckOperators, partition.CheckCrossing); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", j.stated.Model, err)
	}
	if err := checkPlan(j.floatPlan); err != nil {
		return fmt.Errorf("import %s: %w", j.stated.Model, err)
	}
	described := j.describe()
	if j.blocked != nil {
		rep.Warning("mpqc compress will stop here: " + j.blocked.Error())
	}
	if err := j.saveModel(floatFile, m); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := j.w.WriteJSON(importFile, described); err != nil {
		return err
	}
	path, err := filepath.Abs(j.stated.Model)
	if err != nil {
		path = j.stated.Model
	}
	j.w.Manifest.Model = workspace.ModelInfo{Path: path, Name: filepath.Base(j.stated.Model), SHA256: sum, Divided: j.w.Manifest.Model.Divided}
	kept := j.w.Manifest.Options
	j.w.Manifest.Options = j.o
	// Pictures that nobody has looked at yet are not the workspace's.
	j.w.Manifest.Options.Data, j.w.Manifest.Options.Preprocessing = kept.Data, kept.Preprocessing
	stamp, err := j.importPrint(sum, j.floatPlan.Outputs)
	if err != nil {
		return err
	}
	return j.w.End(event.StageImport, stamp, rep.Done(fmt.Sprintf("%d layers", len(j.floatPlan.Layers))), "")
}

// hashModel is the SHA-256 of a model file; where it has external data, of the hashes of all files.
func hashModel(ctx context.Context, path string) (string, error) {
	sum, _, err := workspace.HashUntil(ctx, path)
	if err != nil {
		return "", err
	}
	sums := sum + "\n"
	external := onnx.ExternalFiles(path)
	for _, name := range external {
		s, _, err := workspace.HashUntil(ctx, filepath.Join(filepath.Dir(path), filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // reading the model will say so, and which tensor lies in it
		}
		if err != nil {
			return "", err
		}
		sums += s + "  " + name + "\n"
	}
	if len(external) == 0 {
		return sum, nil
	}
	all := sha256.Sum256([]byte(sums))
	return hex.EncodeToString(all[:]), nil
}

// divides reports whether the model is taken apart into core and tail. A supernet of a version that did not is of the whole.
func (j *job) divides() bool { return !j.keepsSupernet() || j.w.Manifest.Model.Divided }

// setFloat takes a normalised model, divides and plans it. One whose layers stand behind operators that the engine lacks is
// planned as a whole, for import to show, and nothing else can be done with it: see blocked.
func (j *job) setFloat(m *onnx.Model, name string, checks ...func(*onnx.Model) error) error {
	j.float, j.parts, j.blocked = m, nil, nil
	j.w.Manifest.Model.Divided = j.divides()
	if j.w.Manifest.Model.Divided {
		d, err := partition.Of(m, j.o.Exclude)
		switch {
		case errors.As(err, &j.blocked):
		case err != nil:
			return err
		default:
			j.float, j.parts = d.Core, d
		}
	}
	for _, check := range checks {
		if err := check(j.float); err != nil {
			if j.blocked != nil {
				return j.blocked // the reason why nothing behind it is known
			}
			return err
		}
	}
	var err error
	if j.floatPlan, err = quantize.NewPlan(j.float, j.planOptions()); err != nil {
		return fmt.Errorf("plan %s: %w", name, err)
	}
	if j.parts.Tail() == nil || !j.float.Large() {
		return nil
	}
	if j.w.ReadOnly { // the runtime opens it by its path
		return j.refuse(errors.Join(j.w.Verify(coreFile), j.w.Verify(coreFile+onnx.DataSuffix)))
	}
	return j.saveModel(coreFile, j.float)
}

// readModel loads and normalises a file. That it cannot be read is the user's to repair.
func readModel(ctx context.Context, path string) (*onnx.Model, error) {
	return par.Await(ctx, func() (*onnx.Model, error) {
		m, err := onnx.Load(path)
		if err != nil {
			return nil, fmt.Errorf("import: %w", err) // the error names the file
		}
		normalise := func(m *onnx.Model) error { return pass.NormaliseContext(ctx, m) }
		for _, step := range []func(*onnx.Model) error{(*onnx.Model).Validate, partition.CheckFloat, partition.CheckInputs, normalise, partition.CheckFloat} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := step(m); err != nil {
				return nil, fmt.Errorf("import %s: %w", path, err)
			}
		}
		return m, nil
	})
}

// checkModel refuses to put another model where a trained supernet is: training is never thrown away unasked.
func (j *job) checkModel(sum string) error {
	old := j.w.Manifest.Model
	if old.SHA256 == "" || old.SHA256 == sum || !j.w.Has(supernetFile) || j.o.Retrain {
		return nil
	}
	return fmt.Errorf("%w: workspace %s holds a supernet of another model (%s); give another --workspace, or --retrain",
		ErrUsage, j.w.Dir(), old.Path)
}

// openImported reads float.onnx and plans it anew.
func (j *job) openImported(ctx context.Context) error {
	m, err := j.loadImported(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: workspace %s holds no imported model", ErrUsage, j.w.Dir())
	}
	if err != nil {
		return err
	}
	if err := j.setFloat(m, j.w.Path(floatFile)); err != nil {
		return err
	}
	if !j.w.ReadOnly && j.w.Has(importFile) {
		again, err := j.anew(j.w.Verify(importFile), event.StageImport)
		if err == nil && again {
			err = j.w.WriteJSON(importFile, j.describe())
		}
		if err != nil {
			return err
		}
	}
	stamp, err := j.importPrint(j.w.Manifest.Model.SHA256, j.floatPlan.Outputs)
	if err != nil || j.w.ReadOnly || stamp == j.w.Manifest.Stages[string(event.StageImport)].Fingerprint {
		return err
	}
	j.replanned = stamp
	return nil
}

// loadImported reads float.onnx. A damaged one is made anew, as long as the model is there that it was made from.
func (j *job) loadImported(ctx context.Context) (*onnx.Model, error) {
	m, err := j.loadModel(floatFile)
	again, stop := j.anew(err, event.StageImport)
	if stop != nil || !again {
		return m, stop
	}
	from := cmp.Or(j.stated.Model, j.w.Manifest.Model.Path)
	if sum, failed := hashModel(ctx, from); failed != nil || sum != j.w.Manifest.Model.SHA256 {
		return nil, fmt.Errorf("%w, and %s is not any more what it was made from; %s", err, from, j.remedy(floatFile))
	}
	if m, err = readModel(ctx, from); err != nil {
		return nil, err
	}
	if j.keepsSupernet() {
		j.w.Fix(floatFile, floatFile+onnx.DataSuffix)
	}
	if err := j.saveModel(floatFile, m); err != nil {
		return nil, j.refuse(err)
	}
	return j.loadModel(floatFile)
}

// replan writes down other candidates of a model that was imported before.
func (j *job) replan() error {
	if j.replanned == "" {
		return nil
	}
	if err := j.w.WriteJSON(importFile, j.describe()); err != nil {
		return err
	}
	return j.w.End(event.StageImport, j.replanned, 0, "")
}

// importPrint is the fingerprint of an imported model. Zero points change nothing that import writes, quantizers on results
// of convolutions only in some models.
func (j *job) importPrint(sum string, outputs bool) (string, error) {
	o := j.planOptions()
	o.ZeroPoints, o.Outputs, o.Exclude = false, outputs, j.o.Exclude
	return workspace.Fingerprint(sum, o)
}

func (j *job) planOptions() quantize.PlanOptions {
	return quantize.PlanOptions{
		WeightBits: j.o.WeightBits, ActivationBits: j.o.ActivationBits, Exclude: j.parts.Excluded(j.o.Exclude), Streams: true,
		Int8: j.o.Int8, ZeroPoints: j.o.ZeroPoints, Outputs: j.o.Outputs,
	}
}
