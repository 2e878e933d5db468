package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// checkpointFile holds the training of the supernet while it is under way; it is removed once the supernet is there.
const checkpointFile = "checkpoint.safetensors"

// training is what fit works on: that of the supernet, or that of the policy of a target.
type training struct {
	stage      event.Stage
	stamp      string // fingerprint of everything that decides its result
	checkpoint string // file of the workspace that holds it while it is under way
	options    train.Options
	network    func(context.Context) (*fakequant.Network, error) // as it is before the first step
	saved      func(took time.Duration)                          // told of every checkpoint; nil: nobody is
}

// trainVersion rises when training gives another supernet with the same options: a checkpoint of before is of no use then.
const trainVersion = 1

// trainSupernet trains the calibrated supernet on the training pictures.
func (j *job) trainSupernet(ctx context.Context, front []quantize.Policy, rep *event.Reporter) (*quantize.Supernet, error) {
	src, err := j.newSource()
	if err != nil {
		return nil, err
	}
	defer src.close()
	options := j.trainOptions(src)
	options.Front = front
	stamp, err := workspace.Fingerprint(j.trainPrint(), front, trainVersion)
	if err != nil {
		return nil, err
	}
	done, err := j.fit(ctx, training{
		stage: event.StageTrain, stamp: stamp, checkpoint: checkpointFile, options: options, network: j.untrained,
		saved: func(took time.Duration) { j.seconds.Checkpoints += took.Seconds() },
	}, src, rep)
	if errors.As(err, new(*train.DivergedError)) {
		err = fmt.Errorf("%w; a lower --lr trains more gently", err)
	}
	if err != nil {
		return nil, err
	}
	j.seconds.Waiting = src.waited.Seconds()
	return done.Supernet(), j.w.WriteJSON(trainingFile, done.History())
}

// fit trains from the last checkpoint where the training was under way with the same options, else from the start. Without a
// number of steps in its options it trains as long as the time limit lets it.
func (j *job) fit(ctx context.Context, t training, src *source, rep *event.Reporter) (*train.Trainer, error) {
	state, resume, err := j.stateOf(ctx, t, src, rep)
	if err != nil {
		return nil, err
	}
	if err := j.begin(t.stage, state); err != nil {
		return nil, err
	}
	o := t.options
	o.Steps = state.Steps
	if o.Rate == 0 {
		o.Rate = train.Rate(o.Steps, o.Batch, o.Frozen)
	}
	o.StepRate = train.StepRate(o.Steps)
	net, err := t.network(ctx)
	if err != nil {
		return nil, err
	}
	trainer, err := train.New(net, o, j.pool)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("%d steps of %d pictures, paths per step: %d", o.Steps, o.Batch, o.Paths+1)
	if resume {
		if err := trainer.Resume(j.w.Path(t.checkpoint)); err != nil {
			return nil, err
		}
		rep.From = int64(trainer.Done())
		text = fmt.Sprintf("going on at step %d of %d", trainer.Done(), o.Steps)
	}
	rep.Message(text)
	src.waited = 0
	err = trainer.Run(ctx, src, train.RunOptions{
		Checkpoint: j.w.Path(t.checkpoint), Every: j.o.CheckpointEvery, Saved: t.saved,
		Progress: func(p train.Progress) { rep.Progress(int64(p.Step), int64(p.Steps), lossText(p.Losses)) },
	})
	if errors.As(err, new(*train.DivergedError)) {
		err = fmt.Errorf("%w; %s", err, j.lastCheckpoint(t.checkpoint))
	}
	return trainer, err
}

// stateOf is the state in which a training begins or goes on. The checkpoint of another one, which that would take for its own
// after an interruption, is removed.
func (j *job) stateOf(ctx context.Context, t training, src *source, rep *event.Reporter) (state workspace.StageState, resume bool, err error) {
	before := j.w.Manifest.Stages[string(t.stage)]
	state = workspace.StageState{Fingerprint: t.stamp, Steps: t.options.Steps, ISA: kernel.Active().String()}
	under := !before.Done && before.Steps > 0 && j.w.Has(t.checkpoint)
	if under && before.Fingerprint == t.stamp {
		state.Steps, state.ISA = before.Steps, j.w.ISA(t.stage)
		if before.ISA != "" && state.ISA != before.ISA {
			rep.Warning(fmt.Sprintf("training began with %s kernels and goes on with %s: its last bits may differ from those of one machine",
				before.ISA, kernel.Active()))
		}
		return state, true, nil
	}
	if under {
		rep.Warning("the checkpoint of the interrupted training was made with other options; training starts anew")
	}
	if state.Steps == 0 {
		if state.Steps, err = j.stepsWithin(ctx, t, src, rep); err != nil {
			return state, false, err
		}
	}
	return state, false, j.removeFiles(t.checkpoint)
}

// lastCheckpoint says what is left of a training that failed.
func (j *job) lastCheckpoint(file string) string {
	at, err := train.CheckpointStep(j.w.Path(file))
	if err != nil {
		return "there is no checkpoint from before"
	}
	return fmt.Sprintf("%s holds the state after %d updates", j.w.Path(file), at)
}

// begin records a training under way with the length of its schedule, which a time limit decides only once.
func (j *job) begin(stage event.Stage, state workspace.StageState) error {
	j.w.Manifest.Stages[string(stage)] = state
	return j.w.Save()
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
	o.Steps = 0 // a time limit decides
	if j.o.Epochs != nil {
		o.Steps = j.o.Updates(src.perEpoch)
	}
	o.Unlabelled = !j.data.Labels
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
	o.Tilt = j.o.Sampling == options.SamplingTilted
	o.Smoothing = float32(*j.o.Smoothing)
	return o
}

// untrained is the network that training of the supernet begins with.
func (j *job) untrained(ctx context.Context) (*fakequant.Network, error) {
	net, err := j.anchored(ctx)
	if err == nil && j.o.SharedNorms != nil && *j.o.SharedNorms {
		net.ShareNorms()
	}
	return net, err
}

// timedSteps measure how long a step takes, the first one apart, which warms caches.
const timedSteps = 5

// stepsWithin is how many steps of a training fit into the stated time, of which paths and preparation have had their share. The
// schedule needs their number beforehand; timing throws its updates away.
func (j *job) stepsWithin(ctx context.Context, timed training, src *source, rep *event.Reporter) (int, error) {
	net, err := timed.network(ctx)
	if err != nil {
		return 0, err
	}
	timed.options.Steps = 1 << 20
	t, err := train.New(net, timed.options, j.pool)
	if err != nil {
		return 0, err
	}
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
	spent := rep.Elapsed() + time.Duration(j.seconds.Train*float64(time.Second))
	if spent > j.o.Time {
		rep.Warning(fmt.Sprintf("what comes before the first step took %s, all of --time %s: training is one step", spent.Round(time.Second), j.o.Time))
	}
	return max(int((j.o.Time-spent)/max(per, 1)), 1), nil
}
