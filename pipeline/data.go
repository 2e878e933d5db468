package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/onnx"
)

// openData opens both splits of the run's pictures.
func (j *job) openData(ctx context.Context) error {
	if err := j.dataPath(); err != nil {
		return err
	}
	p, err := j.openSplits(ctx, j.float, dataset.Train, dataset.Test)
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
	j.data, err = j.openSplits(ctx, m, split, split)
	return err
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

func (j *job) openSplits(ctx context.Context, m *onnx.Model, train, test string) (*pictures, error) {
	inputs := m.Graph.Inputs()
	if len(inputs) != 1 {
		return nil, fmt.Errorf("%w: the model has %d inputs, pictures fill one", ErrUsage, len(inputs))
	}
	prep, err := models.NewPreprocessing(m, j.o.Preprocessing)
	if err != nil {
		if errors.Is(err, models.ErrNoPreprocessing) {
			err = fmt.Errorf("%w: %w", ErrUsage, err)
		}
		return nil, err
	}
	o := dataset.Options{Preprocessing: prep, Holdout: *j.o.Holdout, Seed: *j.o.Seed, Input: inputs[0].Name()}
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
	// A final number must not count a picture twice because it stands in for a broken one.
	if err := p.test.Check(ctx); err != nil {
		return nil, err
	}
	p.fingerprint, p.shape = p.test.Fingerprint(), p.test.Shape()
	p.elements = p.shape.Numel()
	p.labels = p.test.Labelled() && p.train.Labelled() && !*j.o.NoLabels
	return p, nil
}

// close releases the files behind the pictures.
func (p *pictures) close() error { return errors.Join(p.train.Close(), p.test.Close()) }
