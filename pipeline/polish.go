package pipeline

import (
	"context"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// Polish is what training the found policy alone has added.
type Polish struct {
	Epochs float64 `json:"epochs"`
	Before Metric  `json:"before"` // the policy as the search left it, in onnxruntime
	// Gain is what the trained policy is better by on the same pictures; nil without labels, and where the simulation had no
	// time for all of them.
	Gain *Gain `json:"gain,omitempty"`
}

// polishedFile holds what the training of a target's policy alone has changed: weights, step sizes and norms.
func polishedFile(target string) string {
	return "search/" + fileName(target) + ".polished.safetensors"
}

// polish trains the policy of a target alone, from the supernet, for some epochs. The supernet stays as it is: the result is
// laid over it in a file of the target.
func (j *job) polish(ctx context.Context, p quantize.Policy, target string, epochs float64) (*quantize.Supernet, error) {
	stamp, err := fingerprint(j.supernetPrint(), p, epochs, j.o.TrainSamples, j.o.BatchSize, j.o.LearningRate, j.o.Augment, j.o.Seed,
		j.o.FloatTeacher, j.o.NoDamping, j.o.NoEMA, j.o.Smoothing, j.o.NormSamples, j.data.stamp)
	if err != nil {
		return nil, err
	}
	file, stage := polishedFile(target), Stage("polish "+target)
	if j.w.finished(stage, stamp, file) {
		return j.withNorms(file)
	}
	if j.stated.SearchOnly {
		return nil, fmt.Errorf("%w: target %s was polished with other options: mpqc compress --polish %g makes it anew", ErrUsage, target, epochs)
	}
	start, err := j.reestimate(ctx, p, target)
	if err != nil {
		return nil, err
	}
	rep := j.o.Events.start(StagePolish, target, "")
	checkpoint := "search/" + fileName(target) + ".checkpoint.safetensors"
	changed, err := j.trainPolicy(ctx, training{stage: stage, stamp: stamp, checkpoint: checkpoint}, start, p, epochs, rep)
	if err != nil {
		return nil, err
	}
	norms, err := j.reestimateNorms(ctx, merged(start, changed), p, true)
	if err != nil {
		return nil, err
	}
	changed = merged(changed, norms)
	if err := changed.Save(j.w.Path(file)); err != nil {
		return nil, err
	}
	seconds := rep.done("")
	j.seconds.Polish += seconds
	if err := j.w.end(stage, stamp, seconds, ""); err != nil {
		return nil, err
	}
	return merged(j.supernet, changed), j.removeFiles(checkpoint)
}

// trainPolicy returns what training changes in a supernet whose only path is a policy.
func (j *job) trainPolicy(ctx context.Context, t training, s *quantize.Supernet, p quantize.Policy, epochs float64, rep *reporter) (*quantize.Supernet, error) {
	plan, err := j.plan.Only(p)
	if err != nil {
		return nil, err
	}
	src, err := j.newSource()
	if err != nil {
		return nil, err
	}
	defer src.close()
	t.options = j.policyOptions(src, epochs)
	t.network = func() (*fakequant.Network, error) { return j.loaded(plan, s) }
	done, err := j.fit(ctx, t, src, rep)
	if err != nil {
		return nil, err
	}
	return done.Supernet(), nil
}

// policyOptions are those of the supernet's training for one path and another length.
func (j *job) policyOptions(src *source, epochs float64) train.Options {
	o := j.trainOptions(src)
	o.Paths, o.Steps = 0, max(int(math.Ceil(epochs*float64(src.perEpoch))), 1)
	return o
}

// polished is the supernet of a target with its policy trained alone, and what that starts from.
func (j *job) polished(ctx context.Context, p quantize.Policy, target string, epochs float64) (*quantize.Supernet, *measured, error) {
	key, err := j.testKey("before polish", j.supernetPrint(), p, j.o.NormSamples, j.o.Profiles[0])
	if err != nil {
		return nil, nil, err
	}
	before, err := cached(j.w, "scores/"+fileName(target)+".before.json", key, func() (measured, error) {
		return j.measurePolicy(ctx, target+" before polish", p)
	})
	if err != nil {
		return nil, nil, stageError(StageEval, err)
	}
	s, err := j.polish(ctx, p, target, epochs)
	if err != nil {
		return nil, nil, stageError(StagePolish, err)
	}
	return s, &before, nil
}

// added compares the delivered result with what it was before.
func (m *measured) added(epochs float64, right metric.Hits) *Polish {
	return &Polish{Epochs: epochs, Before: m.Metric, Gain: gainOf(right, m.Hits)}
}

// keepPolish records for how long the policy of a target was trained alone, so that export writes further profiles of the same.
func (j *job) keepPolish(target string, epochs float64) error {
	var f found
	name := "search/" + fileName(target) + ".json"
	if err := j.w.ReadJSON(name, &f); err != nil || f.Polish == epochs {
		return err
	}
	f.Polish = epochs
	return j.w.WriteJSON(name, f)
}
