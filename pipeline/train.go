package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/training"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// postTraining is the note of a supernet that was calibrated but not trained. Training may replace it unasked: see upgrades.
const postTraining = "post-training"

// finish does what follows from calibration alone: the supernet is trained, its weights are rounded, and it is opened.
func (j *job) finish(ctx context.Context) error {
	if err := j.train(ctx); err != nil {
		return stageError(event.StageTrain, err)
	}
	s, sum, err := j.loadSupernet()
	if err != nil {
		return err
	}
	if err := j.round(ctx, s, sum); err != nil {
		return stageError(event.StageRound, err)
	}
	return j.take(s, sum)
}

// train is the training stage: supernet.safetensors. A finished supernet is kept, whatever the options, unless the
// caller asked to retrain.
func (j *job) train(ctx context.Context) error {
	state := j.w.Manifest.Stages[string(event.StageTrain)]
	wantsTraining := j.o.Trains()
	if j.keepsSupernet() {
		return j.keepSupernet(state)
	}
	stamp := j.trainPrint()
	note, text := postTraining, postTraining
	front, err := j.front(ctx)
	if err != nil {
		return err
	}
	rep := j.o.Events.Start(event.StageTrain, "", "")
	if wantsTraining {
		note = ""
		trained, err := j.trainSupernet(ctx, front, rep)
		if err != nil {
			return err
		}
		j.supernet = trained
		text = fmt.Sprintf("%.1f %% of it waiting for pictures", 100*j.seconds.Waiting/rep.Elapsed().Seconds())
	} else if err := j.w.Remove(trainingFile); err != nil {
		return err
	}
	j.warnBad("training", j.data.Train)
	if err := j.saveArrays(supernetFile, j.supernet); err != nil {
		return err
	}
	j.seconds.Train += rep.Done(text)
	j.w.Manifest.Trained = j.w.Manifest.Data
	if err := j.w.End(event.StageTrain, stamp, j.seconds.Train, note); err != nil {
		return err
	}
	return j.fitter().Forget(checkpointFile)
}

// keepSupernet goes on recording the options that it was trained with.
func (j *job) keepSupernet(state workspace.StageState) error {
	j.warnOther()
	if j.stated.StatesTraining() && state.Fingerprint != j.trainPrint() {
		text := "keeping the supernet that was trained with other options; --retrain trains anew"
		if j.polishes() {
			text += ", --polish trains with them"
		}
		j.o.Events.Start(event.StageTrain, "", "").Warning(text)
		j.o = j.o.WithTraining(j.kept)
		j.w.Manifest.Options = j.o
		if err := j.w.Save(); err != nil {
			return err
		}
	}
	return nil
}

// trainPrint is the fingerprint of everything that decides what training gives.
func (j *job) trainPrint() string {
	stamp, err := workspace.Fingerprint(j.w.Manifest.Stages[string(event.StageCalibrate)].Fingerprint, j.o.Epochs, j.o.Time, j.o.LeastUpdates, j.o.TrainSamples,
		j.o.Paths, j.o.BatchSize, j.o.LearningRate, j.o.Augment, j.o.Seed, j.o.NoLabels,
		j.o.Float, j.o.NoScheduler, j.o.NoIDM, j.o.NoDamping, j.o.NoEMA, j.o.FloatTeacher,
		j.o.NoKD, j.o.SharedNorms, j.o.Sampling, j.o.Smoothing, j.o.Ranges)
	if err != nil {
		return "" // numbers and strings always encode
	}
	return stamp
}

// trainVersion rises when training gives another supernet with the same options: a checkpoint of before is of no use then.
const trainVersion = 1

// checkpointFile holds the training of the supernet while it is under way; it is removed once the supernet is there.
const checkpointFile = "checkpoint.safetensors"

// trainSupernet trains the calibrated supernet on the training pictures.
func (j *job) trainSupernet(ctx context.Context, front []quantize.Policy, rep *event.Reporter) (*quantize.Supernet, error) {
	src, err := j.trainingSource()
	if err != nil {
		return nil, err
	}
	defer src.Close()
	t := training.Task{
		Stage: event.StageTrain, Checkpoint: checkpointFile, Options: j.recipe(src), Network: j.untrained,
		Time: j.o.Time, Spent: time.Duration(j.seconds.Train * float64(time.Second)),
	}
	t.Options.Guides = front
	if t.Stamp, err = workspace.Fingerprint(j.trainPrint(), front, trainVersion); err != nil {
		return nil, err
	}
	f := j.fitter()
	f.Saved = func(took time.Duration) { j.seconds.Checkpoints += took.Seconds() }
	done, err := f.Fit(ctx, t, src, rep)
	if errors.As(err, new(*train.DivergedError)) {
		err = fmt.Errorf("%w; a lower --lr trains more gently", err)
	}
	if err != nil {
		return nil, err
	}
	j.seconds.Waiting = src.Waited.Seconds()
	return done.Supernet(), j.w.WriteJSON(trainingFile, done.History())
}

// trainingSource brings the training pictures.
func (j *job) trainingSource() (*training.Source, error) {
	list, err := j.outputs()
	if err != nil {
		return nil, err
	}
	return training.NewSource(j.data, &j.o, list, j.floatDocument)
}

// recipe is how to train what a source brings.
func (j *job) recipe(src *training.Source) train.Options {
	_, one := onlyPolicy(j.plan)
	return training.Recipe(&j.o, src, one)
}

// fitter trains in the workspace.
func (j *job) fitter() *training.Fitter {
	return &training.Fitter{Workspace: j.w, Pool: j.pool, Every: j.o.CheckpointEvery}
}

// untrained is the network that training of the supernet begins with.
func (j *job) untrained(ctx context.Context) (*fakequant.Network, error) {
	e, err := j.estimator()
	if err != nil {
		return nil, err
	}
	net, err := e.Rebased(ctx, j.supernet)
	if err == nil && j.o.SharedNorms != nil && *j.o.SharedNorms {
		net.ShareNorms()
	}
	return net, err
}
