package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/train"
)

// checkpointFile holds a training under way; it is removed once the supernet is there.
const checkpointFile = "checkpoint.safetensors"

// trainSupernet trains the calibrated supernet on the training pictures, from the last checkpoint where the stage was
// under way with the same options.
func (j *job) trainSupernet(ctx context.Context, rep *reporter) (*quantize.Supernet, error) {
	src, err := j.newSource()
	if err != nil {
		return nil, err
	}
	defer src.close()
	o := j.trainOptions(src)
	stamp := j.trainPrint()
	before := j.w.Manifest.Stages[string(StageTrain)]
	resume := !before.Done && before.Fingerprint == stamp && before.Steps > 0 && j.w.has(checkpointFile)
	isa := kernel.Active().String()
	switch {
	case resume:
		o.Steps, isa = before.Steps, j.w.isa(StageTrain)
		if before.ISA != "" && isa != before.ISA {
			rep.warning(fmt.Sprintf("training began with %s kernels and goes on with %s: its last bits may differ from those of one machine",
				before.ISA, kernel.Active()))
		}
	case !before.Done && before.Steps > 0 && j.w.has(checkpointFile):
		rep.warning("the checkpoint of the interrupted training was made with other options; training starts anew")
	}
	if j.o.Time > 0 && !resume {
		if o.Steps, err = j.stepsWithin(ctx, o, src); err != nil {
			return nil, err
		}
	}
	if j.o.LearningRate == 0 {
		o.Rate = train.Rate(o.Steps, o.Batch)
	}
	if err := j.begin(StageState{Fingerprint: stamp, Steps: o.Steps, ISA: isa}); err != nil {
		return nil, err
	}
	t, err := j.newTrainer(o)
	if err != nil {
		return nil, err
	}
	if resume {
		if err := t.Resume(j.w.Path(checkpointFile)); err != nil {
			return nil, err
		}
	}
	text := fmt.Sprintf("%d steps of %d pictures, paths per step: %d", o.Steps, o.Batch, o.Paths+1)
	if t.Done() > 0 {
		rep.from = int64(t.Done())
		text = fmt.Sprintf("going on at step %d of %d", t.Done(), o.Steps)
	}
	rep.message(text)
	src.waited = 0
	err = t.Run(ctx, src, train.RunOptions{
		Checkpoint: j.w.Path(checkpointFile), Every: j.o.CheckpointEvery,
		Saved:    func(took time.Duration) { j.seconds.Checkpoints += took.Seconds() },
		Progress: func(p train.Progress) { rep.progress(int64(p.Step), int64(p.Steps), lossText(p.Losses)) },
	})
	if errors.As(err, new(*train.DivergedError)) {
		err = fmt.Errorf("%w; %s; a lower --lr trains more gently", err, j.lastCheckpoint())
	}
	if err != nil {
		return nil, err
	}
	j.seconds.Waiting = src.waited.Seconds()
	return t.Supernet(), j.w.WriteJSON(trainingFile, t.History())
}

// lastCheckpoint says what is left of a training that failed.
func (j *job) lastCheckpoint() string {
	at, err := train.CheckpointStep(j.w.Path(checkpointFile))
	if err != nil {
		return "there is no checkpoint from before"
	}
	return fmt.Sprintf("%s holds the state after %d updates", j.w.Path(checkpointFile), at)
}

// begin records a training under way with the length of its schedule, which a time limit decides only once.
func (j *job) begin(state StageState) error {
	j.w.Manifest.Stages[string(StageTrain)] = state
	return j.w.save()
}

func (j *job) step(ctx context.Context, t *train.Trainer, src *source) ([]train.Losses, error) {
	b, err := src.Batch(ctx, t.Done())
	if err != nil {
		return nil, err
	}
	return t.Step(ctx, b, t.Paths(t.Done()))
}

func lossText(losses []train.Losses) string {
	if len(losses) == 0 {
		return ""
	}
	var rest float64
	for _, l := range losses[1:] {
		rest += l.Total / float64(len(losses)-1)
	}
	return fmt.Sprintf("loss %.3f widest, %.3f random paths", losses[0].Total, rest)
}

func (j *job) trainOptions(src *source) train.Options {
	o := train.Defaults()
	o.Batch, o.Paths, o.Seed, o.Rate = src.batch, j.o.Paths-1, *j.o.Seed, j.o.LearningRate
	if j.o.Epochs != nil { // else a time limit decides
		o.Steps = j.o.Updates(src.perEpoch)
	}
	o.Unlabelled = !j.data.labels
	for _, out := range src.outputs {
		o.Kinds = append(o.Kinds, out.Kind)
	}
	o.Labelled = src.labelled
	o.Guidance = float32(*j.o.FloatTeacher)
	if _, one := onlyPolicy(j.plan); one {
		o.Paths = 0 // the widest path is the only one
	}
	off := func(p *bool) bool { return p != nil && *p }
	o.Scheduler = o.Scheduler && !off(j.o.NoScheduler)
	if off(j.o.NoIDM) {
		o.Distortion = 0
	}
	if off(j.o.NoDamping) {
		o.Damping = 0
	}
	if off(j.o.NoEMA) {
		o.Average = 0
	}
	if off(j.o.NoKD) {
		o.Distill = 0
	}
	o.Tilt = j.o.Sampling != SamplingUniform
	o.Smoothing = float32(*j.o.Smoothing)
	return o
}

func (j *job) newTrainer(o train.Options) (*train.Trainer, error) {
	net, err := j.trainable()
	if err != nil {
		return nil, err
	}
	if j.o.SharedNorms != nil && *j.o.SharedNorms {
		net.ShareNorms()
	}
	return train.New(net, o, j.pool)
}

// timedSteps measure how long a step takes, the first one apart, which warms caches.
const timedSteps = 5

// stepsWithin is how many steps fit into the stated time. The schedule needs their number beforehand; timing throws
// its updates away.
func (j *job) stepsWithin(ctx context.Context, o train.Options, src *source) (int, error) {
	o.Steps = 1 << 20
	t, err := j.newTrainer(o)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	var start time.Time
	for i := range timedSteps + 1 {
		if i == 1 {
			start = time.Now()
		}
		if _, err := j.step(ctx, t, src); err != nil {
			return 0, err
		}
	}
	per := time.Since(start) / timedSteps
	return max(int((j.o.Time-time.Since(began))/max(per, 1)), 1), nil
}

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
	all := j.data.train.Len()
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
	if j.data.labels {
		s.labelled = max(s.outputs.Labelled(len(j.data.test.Classes())), 0) // labels without class scores were refused before
	}
	if !j.data.labels || *j.o.FloatTeacher > 0 || len(s.outputs) > 1 {
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
		if !s.job.data.labels {
			b.Labels = nil
		}
		ys, err := s.teacher.RunFloats(ctx, m.X, s.job.data.batchShape(b.N))
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
	if s.pictures < s.job.data.train.Len() {
		chosen = s.job.data.some(s.pictures, "train", *s.job.o.Seed)
	}
	order := dataset.Shuffle(s.pictures, *s.job.o.Seed, epoch)
	if chosen != nil {
		for i, k := range order {
			order[i] = chosen[k]
		}
	}
	s.loader = s.job.data.train.NewLoader(ctx, dataset.LoaderOptions{
		Batch: s.batch, Indices: order[at*s.batch:], DropLast: true, Augment: s.augment, Seed: *s.job.o.Seed, Epoch: epoch,
	})
}
