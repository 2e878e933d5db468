package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

const supernetFile = "supernet.safetensors"

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
	if !j.o.Float {
		if err := j.round(ctx, s, sum); err != nil {
			return stageError(event.StageRound, err)
		}
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
	} else if err := j.removeFiles(trainingFile); err != nil {
		return err
	}
	j.warnBad("training", j.data.Train)
	if err := j.supernet.Save(j.w.Path(supernetFile)); err != nil {
		return err
	}
	j.seconds.Train += rep.Done(text)
	j.w.Manifest.Trained = j.w.Manifest.Data
	if err := j.w.End(event.StageTrain, stamp, j.seconds.Train, note); err != nil {
		return err
	}
	return j.removeFiles(checkpointFile)
}

// keepSupernet goes on recording the options that it was trained with.
func (j *job) keepSupernet(state workspace.StageState) error {
	j.warnOther()
	if j.stated.StatesTraining() && state.Fingerprint != j.trainPrint() {
		text := "keeping the supernet that was trained with other options; --retrain trains anew"
		if j.polishes() {
			text += ", --polish trains with them (but chooses its own rate)"
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

// openSupernet reads supernet.safetensors and the codes that were chosen for it; what is used is always what the files hold.
func (j *job) openSupernet() error {
	s, sum, err := j.loadSupernet()
	if err != nil {
		return err
	}
	return j.take(s, sum)
}

// loadSupernet reads supernet.safetensors, and its hash.
func (j *job) loadSupernet() (s *quantize.Supernet, sum string, err error) {
	if s, err = quantize.LoadSupernet(j.w.Path(supernetFile)); err != nil {
		return nil, "", err
	}
	sum, _, err = workspace.HashFile(j.w.Path(supernetFile))
	return s, sum, err
}

// take makes a supernet with a hash, and the codes that were chosen for it, those of the job.
func (j *job) take(s *quantize.Supernet, sum string) error {
	s, codes, err := j.withCodes(s, sum)
	if err != nil {
		return err
	}
	j.supernet, j.print = s, sum[:16]
	if codes != "" {
		j.print, err = workspace.Fingerprint(sum, codes)
	}
	return err
}

// supernetPrint identifies the supernet that results share.
func (j *job) supernetPrint() string { return j.print }

// normsFile holds the BatchNorms re-estimated for the policy of a target.
func normsFile(target string) string { return "search/" + fileName(target) + ".norms.safetensors" }

// normsVersion rises when re-estimation gives other statistics with the same options.
const normsVersion = 2

// reestimate returns the supernet with the BatchNorm statistics of a path re-estimated on training pictures: training
// saw each pair of widths amid random neighbours, not amid those that were chosen.
func (j *job) reestimate(ctx context.Context, p quantize.Policy, target string) (*quantize.Supernet, error) {
	stamp, err := workspace.Fingerprint(j.supernetPrint(), p, j.o.NormSamples, j.data.Stamp, normsVersion)
	if err != nil {
		return nil, err
	}
	stage := event.Stage("norms " + target)
	if target != "" && j.w.Finished(stage, stamp, normsFile(target)) {
		return j.overlaid(normsFile(target))
	}
	norms, err := j.reestimateNorms(ctx, j.supernet, p, j.trained())
	if err != nil || target == "" {
		return j.supernet.Over(norms), err
	}
	if err := norms.Save(j.w.Path(normsFile(target))); err != nil {
		return nil, err
	}
	return j.supernet.Over(norms), j.w.End(stage, stamp, 0, "")
}

// overlaid is the supernet with what a file of a target holds in its place: re-estimated norms, or all that polish trained.
func (j *job) overlaid(file string) (*quantize.Supernet, error) {
	own, err := quantize.LoadSupernet(j.w.Path(file))
	if err != nil {
		return nil, err
	}
	return j.supernet.Over(own), nil
}

// normsOf picks the BatchNorm arrays of a path out of a supernet.
func normsOf(s *quantize.Supernet, plan *quantize.Plan, p quantize.Policy) *quantize.Supernet {
	out := &quantize.Supernet{Arrays: map[string]quantize.Array{}, EPS: s.EPS}
	for i, l := range plan.Layers {
		w, a := plan.Bits(p, i)
		prefix := strings.TrimSuffix(quantize.NormName(l.Node, w, a, ""), ".")
		for _, part := range []string{"gamma", "beta", "mean", "var"} {
			if v, ok := s.Arrays[prefix+"."+part]; ok {
				out.Arrays[prefix+"."+part] = v
			}
		}
	}
	return out
}

// infer sets the shapes that a plan needs and files need not hold.
func infer(m *onnx.Model) error {
	if err := shape.Infer(m.Graph); err != nil {
		return fmt.Errorf("infer shapes: %w", err)
	}
	return nil
}
