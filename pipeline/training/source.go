package training

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/quantize/train"
)

// Source brings training batches, decoded ahead; which sample comes when depends on seed and step alone.
type Source struct {
	PerEpoch int           // steps
	Waited   time.Duration // for samples

	samples  *samples.Samples
	augment  dataset.Augmentation
	seed     uint64
	epoch    int // samples
	batch    int
	outputs  metric.Outputs
	labelled int // output that labels belong to

	teacher *ort.Session // the float model, without labels or beside them
	loader  *dataset.Loader
	next    int // step that the loader brings next
}

// Sizes are the numbers of samples of an epoch and of a step.
func Sizes(p *samples.Samples, o options.TrainingOptions) (epoch, step int) {
	epoch = p.Train.Len()
	if n := *o.TrainSamples; n > 0 {
		epoch = min(n, epoch)
	}
	return epoch, min(o.BatchSize, epoch)
}

// NewSource is a source of the training samples, as options with defaults say. The outputs are those of a network,
// whose float model is run where training needs it. Callers close the source.
func NewSource(e *stage.Env, p *samples.Samples, o options.TrainingOptions, outputs metric.Outputs, net *network.Network) (*Source, error) {
	augment, err := dataset.ParseAugmentation(o.Augment)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", options.ErrUsage, err)
	}
	s := &Source{samples: p, augment: augment, seed: e.Seed, outputs: outputs, next: -1}
	if s.epoch, s.batch = Sizes(p, o); s.batch < 1 {
		return nil, errors.New("there are no training samples")
	}
	s.PerEpoch = s.epoch / s.batch
	if p.Labels {
		s.labelled = max(outputs.Labelled(len(p.Test.Classes())), 0) // labels without class scores were refused before
	}
	if p.Labels && *o.FloatTeacher == 0 && len(outputs) == 1 {
		return s, nil
	}
	model, err := net.Document(e)
	if err == nil {
		s.teacher, err = model.Open(ort.Options{Threads: e.Machine.Workers(), Optimize: true})
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the decoding and the session of the float model.
func (s *Source) Close() {
	if s.loader != nil {
		s.loader.Close()
	}
	if s.teacher != nil {
		_ = s.teacher.Close()
	}
}

// Batch implements train.Source.
func (s *Source) Batch(ctx context.Context, step int) (train.Batch, error) {
	start := time.Now()
	if step != s.next || step%s.PerEpoch == 0 {
		s.open(ctx, step)
	}
	m, err := s.loader.Next()
	s.Waited += time.Since(start)
	if errors.Is(err, io.EOF) {
		err = errors.New("an epoch ended early")
	}
	if err != nil {
		return train.Batch{}, fmt.Errorf("read samples: %w", err)
	}
	s.next = step + 1
	b := train.Batch{X: m.X, Labels: m.Labels, N: len(m.Indices)}
	if s.teacher == nil {
		return b, nil
	}
	if !s.samples.Labels {
		b.Labels = nil
	}
	ys, err := s.teacher.RunFloats(ctx, m.X, s.samples.BatchShape(b.N))
	if err != nil {
		return train.Batch{}, fmt.Errorf("run the float model: %w", err)
	}
	for _, y := range ys {
		b.Teacher = append(b.Teacher, y.Data)
	}
	return b, nil
}

// open starts the loader at a step.
func (s *Source) open(ctx context.Context, step int) {
	if s.loader != nil {
		s.loader.Close()
	}
	epoch, at := step/s.PerEpoch, step%s.PerEpoch
	order := dataset.Shuffle(s.epoch, s.seed, epoch)
	if s.epoch < s.samples.Train.Len() {
		chosen := s.samples.Some(s.epoch, "train", s.seed)
		for i, k := range order {
			order[i] = chosen[k]
		}
	}
	s.loader = s.samples.Train.NewLoader(ctx, dataset.LoaderOptions{
		Batch: s.batch, Indices: order[at*s.batch:], DropLast: true, Augment: s.augment, Seed: s.seed, Epoch: epoch,
	})
}
