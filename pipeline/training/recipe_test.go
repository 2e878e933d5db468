package training

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/quantize/train"
)

// optionsOf are the training options that stated options lead to, for 100 steps of 10 samples an epoch.
func optionsOf(stated options.Options, onePath bool) train.Options {
	o := stated.WithDefaults()
	return Recipe(*o.Seed, o.TrainingOptions, &Source{samples: &samples.Samples{Labels: true}, batch: 10, PerEpoch: 100}, onePath)
}

// TestRecipe checks that every option of training reaches the trainer, and changes nothing else.
func TestRecipe(t *testing.T) {
	base := optionsOf(options.Options{TrainingOptions: options.TrainingOptions{Epochs: new(3.0)}}, false)
	for _, tc := range []struct {
		name   string
		stated options.Options
		change func(o *train.Options)
	}{
		{"nothing", options.Options{}, func(*train.Options) {}},
		{"paths", options.Options{TrainingOptions: options.TrainingOptions{Paths: 6}}, func(o *train.Options) { o.Paths = 5 }},
		{"rate", options.Options{TrainingOptions: options.TrainingOptions{LearningRate: 0.5}}, func(o *train.Options) { o.Rate = 0.5 }},
		{"seed", options.Options{Seed: new(uint64(5))}, func(o *train.Options) { o.Seed = 5 }},
		{"no scheduler", options.Options{TrainingOptions: options.TrainingOptions{NoScheduler: new(true)}}, func(o *train.Options) { o.Scheduler = false }},
		{"no distortion", options.Options{TrainingOptions: options.TrainingOptions{NoIDM: new(true)}}, func(o *train.Options) { o.Distortion = 0 }},
		{"no damping", options.Options{TrainingOptions: options.TrainingOptions{NoDamping: new(true)}}, func(o *train.Options) { o.Dampening = 0 }},
		{"no average", options.Options{TrainingOptions: options.TrainingOptions{NoEMA: new(true)}}, func(o *train.Options) { o.Average = 0 }},
		{"no distance to the widest path", options.Options{TrainingOptions: options.TrainingOptions{NoKD: new(true)}}, func(o *train.Options) { o.Distill = 0 }},
		{"all parts", options.Options{TrainingOptions: options.TrainingOptions{NoScheduler: new(false), NoIDM: new(false), NoDamping: new(false), NoEMA: new(false), NoKD: new(false)}}, func(*train.Options) {}},
		{"leaning paths", options.Options{TrainingOptions: options.TrainingOptions{Sampling: options.SamplingTilted}}, func(o *train.Options) { o.Tilted = true }},
		{"uniform paths", options.Options{TrainingOptions: options.TrainingOptions{Sampling: options.SamplingUniform}}, func(*train.Options) {}},
		{"smoothing", options.Options{TrainingOptions: options.TrainingOptions{LabelSmoothing: new(0.25)}}, func(o *train.Options) { o.Smoothing = 0.25 }},
	} {
		tc.stated.Epochs = new(3.0)
		want := base
		tc.change(&want)
		if d := cmp.Diff(want, optionsOf(tc.stated, false)); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
	if base.Steps != 300 || !base.Scheduler || base.Distortion == 0 || base.Dampening == 0 || base.Average == 0 || base.Paths != 3 {
		t.Errorf("defaults %+v", base)
	}
	if o := optionsOf(options.Options{TrainingOptions: options.TrainingOptions{Epochs: new(1.0)}}, true); o.Paths != 0 || o.Steps != 100 {
		t.Errorf("one width trains %d random paths for %d steps", o.Paths, o.Steps)
	}
	if optionsOf(options.Options{TrainingOptions: options.TrainingOptions{Effort: "quick"}}, false).Steps >= optionsOf(options.Options{TrainingOptions: options.TrainingOptions{Effort: "paper"}}, false).Steps {
		t.Error("the efforts do not differ")
	}
	optionsOf(options.Options{TrainingOptions: options.TrainingOptions{Time: time.Minute}}, false) // no number of epochs is known
}
