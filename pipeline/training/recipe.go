package training

import (
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/quantize/train"
)

// Recipe are the options of a trainer of what a source brings, as options with defaults say. A plan that leaves one
// path draws none at random. Steps are 0 where a time limit decides about them.
func Recipe(seed uint64, o options.TrainingOptions, s *Source, onePath bool) train.Options {
	r := train.Defaults()
	r.Batch, r.Paths, r.Seed, r.Rate = s.batch, o.Paths-1, seed, o.LearningRate
	if onePath {
		r.Paths = 0 // the widest path is the only one
	}
	r.Steps = 0
	if o.Epochs != nil {
		r.Steps = o.Updates(s.PerEpoch)
	}
	r.Unlabelled = !s.samples.Labels
	for _, out := range s.outputs {
		r.Kinds = append(r.Kinds, out.Kind)
	}
	r.Labelled = s.labelled
	r.Guidance = float32(*o.FloatTeacher)
	r.Tilted = o.Sampling == options.SamplingTilted
	r.Smoothing = float32(*o.LabelSmoothing)
	leaveOut(&r, o)
	return r
}

// leaveOut takes the parts of the recipe out that options want left out.
func leaveOut(r *train.Options, o options.TrainingOptions) {
	out := func(p *bool) bool { return p != nil && *p }
	r.Scheduler = r.Scheduler && !out(o.NoScheduler)
	if out(o.NoIDM) {
		r.Distortion = 0
	}
	if out(o.NoDamping) {
		r.Dampening = 0
	}
	if out(o.NoEMA) {
		r.Average = 0
	}
	if out(o.NoKD) {
		r.Distill = 0
	}
}
