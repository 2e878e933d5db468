package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/quantize/train"
)

// source brings training batches, decoded ahead; which picture comes when depends on seed and step alone.
type source struct {
	job      *job
	augment  dataset.Augmentation
	pictures int
	batch    int
	perEpoch int // steps
	outputs  metric.Outputs
	labelled int // output that labels belong to

	teacher *ort.Session // the float model, without labels or beside them
	loader  *dataset.Loader
	waited  time.Duration // for the loader
	next    int           // step that the loader brings next
}

// trainPictures is the number of pictures of an epoch.
func (j *job) trainPictures() int {
	all := j.data.Train.Len()
	if n := *j.o.TrainSamples; n > 0 {
		return min(n, all)
	}
	return all
}

// batch is the number of pictures of a step.
func (j *job) batch() int { return min(j.o.BatchSize, j.trainPictures()) }

func (j *job) newSource() (*source, error) {
	augment, err := dataset.ParseAugmentation(j.o.Augment)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	s := &source{job: j, augment: augment, pictures: j.trainPictures(), batch: j.batch(), next: -1}
	if s.batch < 1 {
		return nil, errors.New("there are no training pictures")
	}
	s.perEpoch = s.pictures / s.batch
	if s.outputs, err = j.outputs(); err != nil {
		return nil, err
	}
	if j.data.Labels {
		s.labelled = max(s.outputs.Labelled(len(j.data.Test.Classes())), 0) // labels without class scores were refused before
	}
	if !j.data.Labels || *j.o.FloatTeacher > 0 || len(s.outputs) > 1 {
		model, err := j.floatDocument()
		if err != nil {
			return nil, err
		}
		if s.teacher, err = model.Open(ort.Options{Threads: lanes(j.o.Threads), Optimize: true}); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *source) close() {
	if s.loader != nil {
		s.loader.Close()
	}
	if s.teacher != nil {
		_ = s.teacher.Close()
	}
}

// Batch implements train.Source.
func (s *source) Batch(ctx context.Context, step int) (train.Batch, error) {
	start := time.Now()
	if step != s.next || step%s.perEpoch == 0 {
		s.open(ctx, step)
	}
	m, err := s.loader.Next()
	s.waited += time.Since(start)
	if errors.Is(err, io.EOF) {
		err = errors.New("an epoch ended early")
	}
	if err != nil {
		return train.Batch{}, fmt.Errorf("read pictures: %w", err)
	}
	s.next = step + 1
	b := train.Batch{X: m.X, Labels: m.Labels, N: len(m.Indices)}
	if s.teacher != nil {
		if !s.job.data.Labels {
			b.Labels = nil
		}
		ys, err := s.teacher.RunFloats(ctx, m.X, s.job.data.BatchShape(b.N))
		if err != nil {
			return train.Batch{}, fmt.Errorf("run the float model: %w", err)
		}
		for _, y := range ys {
			b.Teacher = append(b.Teacher, y.Data)
		}
	}
	return b, nil
}

// open starts the loader at a step.
func (s *source) open(ctx context.Context, step int) {
	if s.loader != nil {
		s.loader.Close()
	}
	epoch, at := step/s.perEpoch, step%s.perEpoch
	var chosen []int
	if s.pictures < s.job.data.Train.Len() {
		chosen = s.job.data.Some(s.pictures, "train", *s.job.o.Seed)
	}
	order := dataset.Shuffle(s.pictures, *s.job.o.Seed, epoch)
	if chosen != nil {
		for i, k := range order {
			order[i] = chosen[k]
		}
	}
	s.loader = s.job.data.Train.NewLoader(ctx, dataset.LoaderOptions{
		Batch: s.batch, Indices: order[at*s.batch:], DropLast: true, Augment: s.augment, Seed: *s.job.o.Seed, Epoch: epoch,
	})
}
