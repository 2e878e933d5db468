package pipeline

import (
	"context"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/training"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// Polish is what training the found policy alone has added.
type Polish struct {
	Epochs      float64 `json:"epochs"`
	Fingerprint string  `json:"fingerprint"` // of everything that decided the result
	Before      Metric  `json:"before"`      // the policy as the search left it, in onnxruntime
	// Gain is what the trained policy is better by on the same pictures; nil without labels, and where the simulation had no
	// time for all of them.
	Gain *Gain `json:"gain,omitempty"`
}

// polishing is the training of a target's policy alone, as search/TARGET.json remembers it: later runs and further profiles
// go on with its result.
type polishing struct {
	Epochs   float64         `json:"epochs"`
	Stamp    string          `json:"stamp"`    // fingerprint of everything that decides the result
	Supernet string          `json:"supernet"` // fingerprint of what it starts from
	Policy   quantize.Policy `json:"policy"`
}

// polishVersion rises when polishing gives another result with the same options.
const polishVersion = 6

// polishedFile holds what the training of a target's policy alone has changed: weights, step sizes and norms.
func polishedFile(target string) string {
	return "search/" + fileName(target) + polishedSuffix
}

const polishedSuffix = ".polished.safetensors"

func polishStage(target string) event.Stage { return event.Stage("polish " + target) }

// polishes reports whether this run is asked to train policies alone.
func (j *job) polishes() bool { return j.stated.Polish != nil && *j.stated.Polish > 0 }

// polishingOf is how the policy of a target is to be polished: as this run says, else as it was before; nil: not at all.
func (j *job) polishingOf(target string, p quantize.Policy) (*polishing, error) {
	if j.stated.Polish != nil {
		if *j.stated.Polish == 0 {
			return nil, j.keepPolishing(target, nil)
		}
		o := j.o.WithTraining(j.asked)
		stamp, err := workspace.Fingerprint(j.supernetPrint(), p, *j.stated.Polish, o.TrainSamples, o.BatchSize, o.Augment, o.Seed,
			o.FloatTeacher, j.stated.LearningRate, o.NoDamping, o.NoEMA, o.Smoothing, o.NormSamples, j.data.Stamp, export.Named(j.o.Profiles[0]).Pairs != quantize.Unpaired,
			polishVersion, normsVersion, export.Named(j.o.Profiles[0]).SupernetVersion())
		return &polishing{*j.stated.Polish, stamp, j.supernetPrint(), p}, err
	}
	was, err := j.polishingKept(target)
	if err != nil || was == nil || j.polished(target, was) && was.Supernet == j.supernetPrint() && was.Policy.Equal(p) {
		return was, err
	}
	j.o.Events.Start(event.StagePolish, target, "").Warning(fmt.Sprintf(
		"another supernet or policy was polished for %g epochs, not this one: mpqc compress --target %s --polish %[1]g does that", was.Epochs, target))
	return nil, nil
}

// polished reports whether the result of a polishing is there.
func (j *job) polished(target string, m *polishing) bool {
	return j.w.Finished(polishStage(target), m.Stamp, polishedFile(target))
}

// polishingKept is what search/TARGET.json says of polishing; nil: nothing. Where that is damaged, what was polished must be asked for anew:
// without, another file would be exported.
func (j *job) polishingKept(target string) (*polishing, error) {
	var f found
	err := j.w.ReadJSON(foundFile(target), nil, &f)
	if damaged(err) && j.stated.Polish == nil && j.w.Manifest.Stages[string(polishStage(target))].Done {
		return nil, fmt.Errorf("%w; it said how the policy was polished: mpqc compress --target %s --polish EPOCHS makes it anew", err, target)
	}
	if err != nil {
		return nil, nil //nolint:nilerr // it says nothing
	}
	return f.Polish, nil
}

// keepPolishing writes what search/TARGET.json says of polishing.
func (j *job) keepPolishing(target string, m *polishing) error {
	var f found
	if err := j.w.ReadJSON(foundFile(target), nil, &f); err != nil {
		return err
	}
	f.Polish = m
	return j.w.WriteJSON(foundFile(target), f)
}

// polish returns the supernet with a policy of a target trained alone, from a supernet whose norms are those of the policy. The
// supernet of the workspace stays as it is: what changes lies in a file of the target.
func (j *job) polish(ctx context.Context, m *polishing, target string, from *quantize.Supernet) (*quantize.Supernet, error) {
	if !j.polished(target, m) {
		if err := j.trainAlone(ctx, m, target, from); err != nil {
			return nil, err
		}
	}
	if err := j.keepPolishing(target, m); err != nil {
		return nil, err
	}
	s, err := j.overlaid(polishedFile(target))
	return s, j.refuse(err)
}

// trainAlone writes polishedFile. Training begins with what files of the first profile compute, and ends with the means of what it
// has trained.
func (j *job) trainAlone(ctx context.Context, m *polishing, target string, from *quantize.Supernet) error {
	j.endSearch() // its memory is needed
	defer func(kept Options) { j.o = kept }(j.o)
	j.o = j.o.WithTraining(j.asked) // the supernet may have been trained with other options
	src, err := j.trainingSource()
	if err != nil {
		return err
	}
	defer src.Close()
	t := training.Task{
		Stage: polishStage(target), Stamp: m.Stamp, Checkpoint: "search/" + fileName(target) + ".checkpoint.safetensors", Options: j.recipe(src),
		Network: func(context.Context) (*fakequant.Network, error) { return j.alone(m.Policy, from) },
	}
	t.Options.Paths, t.Options.Steps = 0, max(int(math.Ceil(m.Epochs*float64(src.PerEpoch))), 1)
	t.Options.Frozen = true                // the norms are those of the policy
	t.Options.Rate = j.stated.LearningRate // that of the supernet may be too high for frozen norms
	rep := j.o.Events.Start(event.StagePolish, target, "")
	trainer, err := j.fitter().Fit(ctx, t, src, rep)
	if err != nil {
		return err
	}
	own := trainer.Supernet()
	if err := j.centre(ctx, own, m.Policy); err != nil {
		return err
	}
	if err := j.saveArrays(polishedFile(target), own); err != nil {
		return err
	}
	seconds := rep.Done("")
	j.seconds.Polish += seconds
	if err := j.w.End(t.Stage, t.Stamp, seconds, ""); err != nil {
		return err
	}
	return j.fitter().Forget(t.Checkpoint)
}

// centre re-estimates the means of the norms of a policy that was trained alone with frozen ones. Layers read numbers that are positive as a
// rule, so means are many times the deviation, and a weight step that is a thousandth larger shifts an output by a hundredth of it.
// Variances are left: what training made of the scale of a channel is its own.
func (j *job) centre(ctx context.Context, own *quantize.Supernet, p quantize.Policy) error {
	norms, err := j.normsOf(ctx, j.supernet.Over(own), p, j.o.Profiles[0])
	if err != nil {
		return err
	}
	for i := range j.plan.Layers {
		w, a := j.plan.Bits(p, i)
		name := quantize.NormName(j.plan.Layers[i].Node, w, a, "mean")
		if mean, ok := norms.Arrays[name]; ok {
			own.Arrays[name] = mean
		}
	}
	return nil
}

// alone is the network of a policy as files of the first profile compute it, before training.
func (j *job) alone(p quantize.Policy, from *quantize.Supernet) (*fakequant.Network, error) {
	plan, err := j.plan.Only(p)
	if err != nil {
		return nil, err
	}
	if from, err = j.filed(from, p, j.o.Profiles[0]); err != nil {
		return nil, err
	}
	if from, err = from.Dequantized(j.plan, p); err != nil {
		return nil, err
	}
	return j.loaded(plan, from)
}

// warnRaised says that polish has raised the loss on the test pictures, if it has.
func (j *job) warnRaised(target string, before, after float64) {
	if after > before {
		j.o.Events.Start(event.StagePolish, target, "").Warning(fmt.Sprintf(
			"polish raised the loss from %.4g to %.4g: --lr states a lower rate, --polish 0 gives the policy back as it was", before, after))
	}
}

// added compares what was delivered, whose predictions were right where hits says, with the policy before.
func (m *polishing) added(before measured, hits metric.Hits) *Polish {
	return &Polish{Epochs: m.Epochs, Fingerprint: m.Stamp, Before: before.Metric, Gain: gainOf(hits, before.Hits)}
}
