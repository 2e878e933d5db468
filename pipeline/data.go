package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/onnx"
)

// openData opens both splits of the run's pictures.
func (j *job) openData(ctx context.Context) error {
	if err := j.dataPath(); err != nil {
		return err
	}
	p, err := j.openSplits(j.float, dataset.Train, dataset.Test)
	if err != nil {
		return err
	}
	j.data = p
	j.w.Manifest.Data = &DataInfo{
		Path: j.o.Data, Fingerprint: p.fingerprint, Classes: len(p.test.Classes()), Train: p.train.Len(), Test: p.test.Len(),
	}
	return nil
}

// openDataFor opens one split for measuring a file.
func (j *job) openDataFor(ctx context.Context, model, split string) error {
	if err := j.dataPath(); err != nil {
		return err
	}
	switch split {
	case dataset.Train, dataset.Test, dataset.All, dataset.Val:
	default:
		return fmt.Errorf("%w: split %q is not test, train, val or all", ErrUsage, split)
	}
	m, err := onnx.Load(model)
	if err != nil {
		return fmt.Errorf("read %s: %w", model, err)
	}
	if j.data, err = j.openSplits(m, split, split); err != nil {
		return err
	}
	return j.checkTest(ctx)
}

// dataPath checks that the pictures are named and there, and makes a stated path absolute, since the manifest keeps it.
func (j *job) dataPath() error {
	if j.o.Data == "" {
		return fmt.Errorf("%w: no pictures: state them with --data PATH", ErrUsage)
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

func (j *job) openSplits(m *onnx.Model, train, test string) (*pictures, error) {
	inputs := m.Graph.Inputs()
	if len(inputs) != 1 {
		return nil, fmt.Errorf("%w: the model has %d inputs, pictures fill one", ErrUsage, len(inputs))
	}
	prep, err := j.preprocessing(m)
	if err != nil {
		return nil, err
	}
	o := dataset.Options{Preprocessing: prep, Holdout: *j.o.Holdout, Develop: *j.o.Develop, Seed: *j.o.Seed, Input: inputs[0].Name()}
	if s, known := inputs[0].Shape(); known && len(s) > 1 {
		o.Shape = s[1:].Clone()
	}
	p := &pictures{}
	for _, open := range []struct {
		split string
		to    **dataset.Set
	}{{train, &p.train}, {test, &p.test}} {
		o.Split = open.split
		if *open.to, err = dataset.Open(j.o.Data, o); err != nil {
			return nil, err
		}
	}
	p.fingerprint, p.shape = p.test.Fingerprint(), p.test.Shape()
	p.elements = p.shape.Numel()
	p.labels = p.test.Labelled() && p.train.Labelled() && !*j.o.NoLabels && !j.tail.holdsLayers()
	if p.stamp, err = fingerprint(p.fingerprint, prep.JSON(), *j.o.Holdout, *j.o.Develop, *j.o.Seed, p.labels); err != nil {
		return nil, err
	}
	if p.labels {
		err = checkClasses(m, p)
	}
	return p, err
}

// checkClasses compares the classes of the pictures with the outputs of the model: labels that mean something else
// would cost accuracy without a trace.
func checkClasses(m *onnx.Model, p *pictures) error {
	outputs := classesOf(m)
	if outputs <= 0 {
		return nil
	}
	const hint = "sorted class folders are the model's classes in order; --no-labels works without classes"
	if n := len(p.test.Classes()); n > 0 {
		if n != outputs {
			return fmt.Errorf("%w: the data has %d classes, the model %d outputs: %s", ErrUsage, n, outputs, hint)
		}
		return nil
	}
	for _, set := range []*dataset.Set{p.train, p.test} {
		for i := range set.Len() {
			if int(set.Label(i)) >= outputs {
				return fmt.Errorf("%w: %s has class %d, the model %d outputs: %s", ErrUsage, set.Name(i), set.Label(i), outputs, hint)
			}
		}
	}
	return nil
}

// classesOf is the length of the row of scores that a model gives per picture, 0 where it gives something else.
func classesOf(m *onnx.Model) int {
	if out := m.Graph.Outputs(); len(out) == 1 {
		if s, known := out[0].Shape(); known && len(s) == 2 {
			return s[1]
		}
	}
	return 0
}

// classScores reports whether the outputs are one row of class scores per picture.
func (j *job) classScores() bool { return classesOf(j.float) != 0 && !j.tail.holdsLayers() }

// checkTest takes broken pictures out of the test split before anything is measured: a final number must not count a
// picture twice because it stands in for a broken one.
func (j *job) checkTest(ctx context.Context) error {
	if j.data.checked {
		return nil
	}
	if err := j.data.test.Check(ctx); err != nil {
		return err
	}
	j.data.checked = true
	j.warnBad("test", j.data.test)
	return nil
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
	j.o.Events.start("data", "", "").warning(text)
}

// close releases the files behind the pictures.
func (p *pictures) close() error { return errors.Join(p.train.Close(), p.test.Close()) }
