package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// openData opens both splits of the run's pictures.
func (j *job) openData() error {
	if err := j.dataPath(); err != nil {
		return err
	}
	if err := checkKinds(j.kinds(), j.float); err != nil {
		return err
	}
	p, err := j.openSplits(j.float, dataset.Train, dataset.Test)
	if err != nil {
		return err
	}
	j.data = p
	return nil
}

// openDataFor opens one split for measuring a file.
func (j *job) openDataFor(model scored, split string) (err error) {
	if err := j.dataPath(); err != nil {
		return err
	}
	switch split {
	case dataset.Train, dataset.Test, dataset.All, dataset.Val:
	default:
		return fmt.Errorf("%w: split %q is not test, train, val or all", ErrUsage, split)
	}
	// Kinds that a workspace keeps name outputs of its core, stated ones may name those of the file.
	if err := checkKinds(j.kinds(), model.part, model.file); err != nil {
		return err
	}
	j.data, err = j.openSplits(model.part, split, split)
	return err
}

// dataPath checks that the pictures are named and there, and makes a stated path absolute, since the manifest keeps it.
func (j *job) dataPath() error {
	if j.o.Data == "" {
		return fmt.Errorf("%w: no pictures: state them with --data PATH", ErrUsage)
	}
	if err := file.Check(j.o.Data, true); err != nil {
		return fmt.Errorf("%w: pictures %s: %w", ErrUsage, j.o.Data, err)
	}
	if !fileExists(j.o.Data) {
		return fmt.Errorf("%w: pictures %s do not exist", ErrUsage, j.o.Data)
	}
	abs, err := filepath.Abs(j.o.Data)
	if err != nil {
		return fmt.Errorf("locate pictures: %w", err)
	}
	j.o.Data = abs
	return nil
}

func (j *job) openSplits(m *onnx.Model, train, test string) (*pictures.Pictures, error) {
	inputs := m.Graph.Inputs()
	if len(inputs) != 1 {
		return nil, fmt.Errorf("%w: the model has %d inputs, pictures fill one", ErrUsage, len(inputs))
	}
	prep, err := j.preprocessing(m)
	if err != nil {
		return nil, err
	}
	o := dataset.Options{Preprocessing: prep, Holdout: *j.o.Holdout, Develop: *j.o.Develop, Reserve: j.o.Reserved, Seed: *j.o.Seed, Input: inputs[0].Name(), MaxMemory: j.o.MaxMemory}
	if s, known := inputs[0].Shape(); known && len(s) > 1 {
		o.Shape = s[1:].Clone()
	}
	p, err := pictures.Open(j.o.Data, o, train, test)
	if err != nil {
		return nil, err
	}
	p.Labels = p.Labels && !*j.o.NoLabels && !j.parts.HoldsLayers()
	if p.Stamp, err = j.splitPrint(p, prep.JSON()); err == nil && p.Labels {
		err = checkClasses(m, j.kinds(), p)
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// preprocessing is what the options say, else the workspace, else the model's own metadata, with the parts that this
// run states changed.
func (j *job) preprocessing(m *onnx.Model) (models.Preprocessing, error) {
	e := j.stated.Edit
	p, err := e.Base(m, j.o.Preprocessing)
	if errors.Is(err, models.ErrNoPreprocessing) {
		return p, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if err != nil || e.Empty() {
		return p, err
	}
	edited, err := e.Apply(p)
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if j.keepsSupernet() && edited.JSON() != p.JSON() {
		return p, fmt.Errorf("%w: the supernet in %s was trained with another preprocessing: %s; --retrain trains anew",
			ErrUsage, j.w.Dir(), p.JSON())
	}
	j.o.Preprocessing = edited.JSON() // a later run finds it in the manifest
	return edited, nil
}

// splitPrint is the fingerprint of everything that decides which pictures are in which split and what becomes of them.
func (j *job) splitPrint(p *pictures.Pictures, preprocessing any) (string, error) {
	parts := []any{p.Fingerprint, preprocessing, *j.o.Holdout, *j.o.Seed, p.Labels}
	if *j.o.Develop > 0 || j.o.Reserved { // workspaces of older programs have neither
		parts = append(parts, *j.o.Develop, j.o.Reserved)
	}
	if len(j.o.OutputKinds) > 0 {
		parts = append(parts, j.o.OutputKinds)
	}
	return workspace.Fingerprint(parts...)
}

// checkClasses compares the classes of the pictures with the outputs of the model: labels that mean something else
// would cost accuracy without a trace.
func checkClasses(m *onnx.Model, kinds quantize.OutputKinds, p *pictures.Pictures) error {
	list, known := metric.OutputsOf(m, kinds)
	if !known {
		return nil // the first run tells
	}
	n := len(p.Test.Classes())
	k := list.Labelled(n)
	if k < 0 {
		return fmt.Errorf("%w: the data has labels, but no output of the model is a row of class scores per picture: --no-labels works without", ErrUsage)
	}
	outputs := list[k].To - list[k].From
	if n > 0 {
		if n != outputs {
			return fmt.Errorf("%w: the data has %d classes, the model %d outputs: sorted class folders are the model's classes in order; "+
				"--no-labels works without classes", ErrUsage, n, outputs)
		}
		return nil
	}
	for _, set := range []*dataset.Set{p.Train, p.Test, p.Judge} {
		for i := range set.Len() {
			if int(set.Label(i)) >= outputs {
				return fmt.Errorf("%w: %s has label %d, the model %d outputs: labels are numbers of outputs, from 0 to %d; --no-labels works without them",
					ErrUsage, set.Name(i), set.Label(i), outputs, outputs-1)
			}
		}
	}
	return nil
}

// checkTest takes broken pictures out of the test split before anything is measured: a final number must not count a
// picture twice because it stands in for a broken one.
func (j *job) checkTest(ctx context.Context) error {
	if j.data.Checked {
		return nil
	}
	rep := j.o.Events.Start(event.StageData, "", "")
	if err := j.data.Test.Check(ctx, j.checking(rep)); err != nil {
		return err
	}
	rep.Done(fmt.Sprintf("%d test pictures checked", j.data.Test.Len()))
	j.data.Checked = true
	j.warnBad("test", j.data.Test)
	return nil
}

// checking shows how far a check is.
func (j *job) checking(rep *event.Reporter) dataset.CheckOptions {
	return dataset.CheckOptions{Workers: j.o.Workers(), Progress: func(done, total int) { rep.Progress(int64(done), int64(total), "checking pictures") }}
}

// sample draws n pictures that can be used for a purpose, and checks no others; in place of broken ones it draws further
// ones.
func (j *job) sample(ctx context.Context, set *dataset.Set, n int, purpose string) ([]int, error) {
	rest := pictures.Permuted(set.Len(), set.Len(), purpose, *j.o.Seed)
	rep := j.o.Events.Start(event.StageData, "", "")
	var out []int
	for len(out) < n && len(rest) > 0 {
		k := min(n-len(out), len(rest))
		good, err := set.Usable(ctx, rest[:k], j.checking(rep))
		if err != nil {
			return nil, err
		}
		out, rest = append(out, good...), rest[k:]
	}
	rep.Done(fmt.Sprintf("%d pictures checked", set.Len()-len(rest)))
	j.warnBad("test", set)
	slices.Sort(out)
	return out, nil
}

// warnBad names the pictures of a split that could not be used.
func (j *job) warnBad(split string, set *dataset.Set) {
	bad := set.Bad()
	if len(bad) == 0 {
		return
	}
	text := fmt.Sprintf("%d %s pictures cannot be used and are left out: %s", len(bad), split, bad[0])
	if len(bad) == 1 {
		text = fmt.Sprintf("1 %s picture cannot be used and is left out: %s", split, bad[0])
	} else if len(bad) > 1 {
		text += fmt.Sprintf("; and %d more", len(bad)-1)
	}
	j.o.Events.Start(event.StageData, "", "").Warning(text)
}
