package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network/partition"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// Source is what a run imports.
type Source struct {
	Path    string // of an ONNX file; "" takes what the workspace holds
	Retrain bool   // another model may take the place of that of a trained supernet
}

// Import is the import stage: float.onnx and import.json. A file that was imported before is not read again.
func Import(ctx context.Context, e *stage.Env, from Source, o options.ModelOptions, w options.WidthOptions) (*Network, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if from.Path == "" {
		return Open(ctx, e, from, o, w)
	}
	sum, err := from.hash(ctx)
	if err != nil {
		return nil, err
	}
	if err := from.fits(e, sum); err != nil {
		return nil, err
	}
	if sum != e.Workspace.Manifest.Model.SHA256 {
		e.Disown()
	}
	for _, outputs := range []bool{false, w.ConvOutputs} {
		stamp, err := Key(sum, w, outputs).Stamp()
		if err != nil {
			return nil, err
		}
		if e.Workspace.Finished(event.StageImport, stamp, stage.FloatFile) && e.Workspace.Has(stage.ImportFile) {
			return Open(ctx, e, from, o, w)
		}
	}
	return from.read(ctx, e, sum, o, w)
}

// hash is that of the file, which must be there.
func (s Source) hash(ctx context.Context) (string, error) {
	info, err := os.Stat(s.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.Path != "-":
		return "", fmt.Errorf("%w: model %s does not exist", options.ErrUsage, s.Path)
	case err == nil && info.IsDir():
		return "", fmt.Errorf("%w: model %s is a folder; name the .onnx file in it", options.ErrUsage, s.Path)
	}
	if err := file.Check(s.Path, false); err != nil {
		return "", fmt.Errorf("%w: model %s: %w", options.ErrUsage, s.Path, err)
	}
	return Hash(ctx, s.Path)
}

// fits refuses to put another model where a trained supernet is: training is never thrown away unasked.
func (s Source) fits(e *stage.Env, sum string) error {
	old := e.Workspace.Manifest.Model
	if old.SHA256 == "" || old.SHA256 == sum || !e.Workspace.Has(stage.SupernetFile) || s.Retrain {
		return nil
	}
	return fmt.Errorf("%w: workspace %s holds a supernet of another model (%s); give another --workspace, or --retrain",
		options.ErrUsage, e.Workspace.Dir(), old.Path)
}

// read imports the file anew.
func (s Source) read(ctx context.Context, e *stage.Env, sum string, o options.ModelOptions, w options.WidthOptions) (*Network, error) {
	rep := e.Start(event.StageImport, "", "reading "+s.Path)
	m, err := Read(ctx, s.Path)
	if err != nil {
		return nil, err
	}
	whole := wholly(e)
	n, err := New(m, s.Path, o, w, whole, partition.CheckBatch, partition.CheckOperators, partition.CheckCrossing)
	if err == nil {
		err = errors.Join(n.save(e), ctx.Err())
	}
	if err == nil {
		err = Check(n.Plan)
	}
	if err != nil {
		return nil, fmt.Errorf("import %s: %w", s.Path, err)
	}
	if n.Blocked != nil {
		rep.Warning("mpqc compress will stop here: " + n.Blocked.Error())
	}
	if err := e.SaveModel(stage.FloatFile, m); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := e.Workspace.WriteJSON(stage.ImportFile, n.Describe()); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(s.Path)
	if err != nil {
		path = s.Path
	}
	e.Workspace.Manifest.Model = workspace.ModelInfo{Path: path, Name: filepath.Base(s.Path), SHA256: sum, Divided: !whole}
	n.SHA256 = sum
	if n.Stamp, err = Key(sum, w, n.Plan.Outputs).Stamp(); err != nil {
		return nil, err
	}
	return n, e.Workspace.End(event.StageImport, n.Stamp, rep.Done(fmt.Sprintf("%d layers", len(n.Plan.Layers))), "")
}

// wholly reports whether the model is not taken apart into core and tail: the supernet that stays is of a version that
// did not.
func wholly(e *stage.Env) bool { return e.Keep && !e.Workspace.Manifest.Model.Divided }

// Open reads float.onnx and plans it anew.
func Open(ctx context.Context, e *stage.Env, from Source, o options.ModelOptions, w options.WidthOptions) (*Network, error) {
	m, err := from.loadImported(ctx, e)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: workspace %s holds no imported model", options.ErrUsage, e.Workspace.Dir())
	}
	if err != nil {
		return nil, err
	}
	whole := wholly(e)
	n, err := New(m, e.Workspace.Path(stage.FloatFile), o, w, whole)
	if err != nil {
		return nil, err
	}
	if err := n.save(e); err != nil {
		return nil, err
	}
	e.Workspace.Manifest.Model.Divided = !whole
	n.SHA256 = e.Workspace.Manifest.Model.SHA256
	if !e.Workspace.ReadOnly && e.Workspace.Has(stage.ImportFile) {
		again, err := e.Anew(e.Workspace.Verify(stage.ImportFile), event.StageImport)
		if err == nil && again {
			err = e.Workspace.WriteJSON(stage.ImportFile, n.Describe())
		}
		if err != nil {
			return nil, err
		}
	}
	n.Stamp, err = Key(n.SHA256, w, n.Plan.Outputs).Stamp()
	n.planned = !e.Workspace.ReadOnly && n.Stamp != e.Stamp(event.StageImport)
	return n, err
}

// loadImported reads float.onnx. A damaged one is made anew, as long as the model is there that it was made from.
func (s Source) loadImported(ctx context.Context, e *stage.Env) (*onnx.Model, error) {
	m, err := e.LoadModel(stage.FloatFile)
	again, stop := e.Anew(err, event.StageImport)
	if stop != nil || !again {
		return m, stop
	}
	from := cmp.Or(s.Path, e.Workspace.Manifest.Model.Path)
	if sum, failed := Hash(ctx, from); failed != nil || sum != e.Workspace.Manifest.Model.SHA256 {
		return nil, fmt.Errorf("%w, and %s is not any more what it was made from; %s", err, from, e.Remedy(stage.FloatFile))
	}
	if m, err = Read(ctx, from); err != nil {
		return nil, err
	}
	if e.Keep {
		e.Workspace.Fix(stage.FloatFile, stage.FloatFile+onnx.DataSuffix)
	}
	if err := e.SaveModel(stage.FloatFile, m); err != nil {
		return nil, e.Refuse(err)
	}
	return e.LoadModel(stage.FloatFile)
}
