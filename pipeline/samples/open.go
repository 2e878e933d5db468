package samples

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/quantize"
)

// Model is what samples are opened for.
type Model struct {
	*onnx.Model
	Kinds quantize.OutputKinds // of its outputs, as far as they are stated
	// Features says that what it puts out are features and no scores: labels are of no use.
	Features bool
}

// dataVersion rises when the same options give other samples or another split.
const dataVersion = 1

// Key is what decides which samples of files with a fingerprint are in which split, and what becomes of them. The
// preprocessing of the options is the resolved one.
func Key(fingerprint string, labels bool, m options.ModelOptions, o options.DataOptions, seed uint64) stage.Key {
	return stage.Key{Version: dataVersion, Options: []any{m, o}, Inputs: []any{fingerprint, labels, seed}}
}

// Open opens the training and the test split for a model.
func Open(e *stage.Env, m Model, mo options.ModelOptions, o options.DataOptions) (*Samples, error) {
	return OpenSplits(e, m, mo, o, dataset.Train, dataset.Test)
}

// OpenSplits opens two splits for a model in place of the training and the test split.
func OpenSplits(e *stage.Env, m Model, mo options.ModelOptions, o options.DataOptions, train, test string) (*Samples, error) {
	inputs := m.Graph.Inputs()
	if len(inputs) != 1 {
		return nil, fmt.Errorf("%w: the model has %d inputs, samples fill one", options.ErrUsage, len(inputs))
	}
	path, err := Locate(o.Data)
	if err != nil {
		return nil, err
	}
	prep, edited, err := preprocessing(e, m.Model, o)
	if err != nil {
		return nil, err
	}
	d := dataset.Options{
		Preprocessing: prep, Holdout: *o.Holdout, Develop: *o.Develop, Reserve: o.Reserved, Seed: e.Seed,
		Input: inputs[0].Name(), MaxMemory: e.Machine.MaxMemory,
	}
	if s, known := inputs[0].Shape(); known && len(s) > 1 {
		d.Shape = s[1:].Clone()
	}
	p, err := openSets(path, d, train, test)
	if err != nil {
		return nil, err
	}
	p.Labels = p.Labels && !*o.NoLabels && !m.Features
	p.Path, p.Preprocessing = path, edited
	o.Preprocessing = prep.JSON()
	if p.Stamp, err = Key(p.Fingerprint, p.Labels, mo, o, e.Seed).Stamp(); err == nil {
		err = p.fit(m)
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// openSets opens two splits, and beside them the samples of verdicts.
func openSets(path string, o dataset.Options, train, test string) (*Samples, error) {
	sets, err := dataset.OpenSplits(path, o, train, test, dataset.HeldOut)
	if err != nil {
		return nil, err
	}
	p := &Samples{Train: sets[0], Test: sets[1], HeldOut: sets[2], Fingerprint: sets[1].Fingerprint(), Shape: sets[1].Shape()}
	p.Elements, p.Labels = p.Shape.Numel(), p.Test.Labelled() && p.Train.Labelled()
	return p, nil
}

// Locate checks that the samples are named and there. It returns an absolute path, since the manifest keeps it.
func Locate(path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("%w: no samples: state them with --data PATH", options.ErrUsage)
	}
	if err := file.Check(path, true); err != nil {
		return "", fmt.Errorf("%w: samples %s: %w", options.ErrUsage, path, err)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: samples %s do not exist", options.ErrUsage, path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("locate samples: %w", err)
	}
	return abs, nil
}

// preprocessing is what the options say, else the workspace, else the model's own metadata, with the parts that this
// run states changed. keep is its JSON where the manifest is to keep it.
func preprocessing(e *stage.Env, m *onnx.Model, o options.DataOptions) (p models.Preprocessing, keep string, err error) {
	p, err = o.Edit.Base(m, o.Preprocessing)
	if errors.Is(err, models.ErrNoPreprocessing) {
		return p, "", fmt.Errorf("%w: %w", options.ErrUsage, err)
	}
	if err != nil || o.Edit.Empty() {
		return p, o.Preprocessing, err
	}
	edited, err := o.Edit.Apply(p)
	if err != nil {
		return p, "", fmt.Errorf("%w: %w", options.ErrUsage, err)
	}
	if e.Keep && edited.JSON() != p.JSON() {
		return p, "", fmt.Errorf("%w: the supernet in %s was trained with another preprocessing: %s; --retrain trains anew",
			options.ErrUsage, e.Workspace.Dir(), p.JSON())
	}
	return edited, edited.JSON(), nil
}

// fit compares the classes of the samples with the outputs of the model: labels that mean something else would cost
// accuracy without a trace.
func (p *Samples) fit(m Model) error {
	list, known := metric.OutputsOf(m.Model, m.Kinds)
	if !known || !p.Labels { // of unknown outputs the first run tells
		return nil
	}
	return p.checkClasses(list, len(p.Test.Classes()))
}

// checkClasses refuses labels that no output has.
func (p *Samples) checkClasses(list metric.Outputs, n int) error {
	k := list.Labelled(n)
	if k < 0 {
		return fmt.Errorf("%w: the data has labels, but no output of the model is a row of class scores per sample: --no-labels works without", options.ErrUsage)
	}
	outputs := list[k].To - list[k].From
	if n > 0 {
		if n != outputs {
			return fmt.Errorf("%w: the data has %d classes, the model %d outputs: sorted class folders are the model's classes in order; "+
				"--no-labels works without classes", options.ErrUsage, n, outputs)
		}
		return nil
	}
	for _, set := range []*dataset.Set{p.Train, p.Test, p.HeldOut} {
		for i := range set.Len() {
			if int(set.Label(i)) >= outputs {
				return fmt.Errorf("%w: %s has label %d, the model %d outputs: labels are numbers of outputs, from 0 to %d; --no-labels works without them",
					options.ErrUsage, set.Name(i), set.Label(i), outputs, outputs-1)
			}
		}
	}
	return nil
}
