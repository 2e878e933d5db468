package pipeline

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/train"
)

// optionsOf are the training options that stated options lead to, for 1000 pictures.
func optionsOf(stated Options, bits ...int) train.Options {
	o := stated.Resolve(Options{})
	j := &job{o: o, data: &pictures.Pictures{Labels: true}, plan: &quantize.Plan{
		Layers: []quantize.Layer{{Node: "a", Candidates: bits, MACs: 1, Params: 1}},
		Points: []quantize.Point{{Tensor: "x", Candidates: bits, Layers: []int{0}, Elements: 1}},
	}}
	return j.trainOptions(&source{batch: 10, perEpoch: 100})
}

// TestTrainingFlags checks that every option of training reaches the trainer, and changes nothing else.
func TestTrainingFlags(t *testing.T) {
	base := optionsOf(Options{Epochs: new(3.0)}, 2, 4, 8)
	for _, tc := range []struct {
		name   string
		stated Options
		change func(o *train.Options)
	}{
		{"nothing", Options{}, func(*train.Options) {}},
		{"paths", Options{Paths: 6}, func(o *train.Options) { o.Paths = 5 }},
		{"rate", Options{LearningRate: 0.5}, func(o *train.Options) { o.Rate = 0.5 }},
		{"seed", Options{Seed: new(uint64(5))}, func(o *train.Options) { o.Seed = 5 }},
		{"no scheduler", Options{NoScheduler: new(true)}, func(o *train.Options) { o.Scheduler = false }},
		{"no distortion", Options{NoIDM: new(true)}, func(o *train.Options) { o.Distortion = 0 }},
		{"no damping", Options{NoDamping: new(true)}, func(o *train.Options) { o.Damping = 0 }},
		{"no average", Options{NoEMA: new(true)}, func(o *train.Options) { o.Average = 0 }},
		{"no distance to the widest path", Options{NoKD: new(true)}, func(o *train.Options) { o.Distill = 0 }},
		{"all parts", Options{NoScheduler: new(false), NoIDM: new(false), NoDamping: new(false), NoEMA: new(false), NoKD: new(false)}, func(*train.Options) {}},
		{"leaning paths", Options{Sampling: options.SamplingTilted}, func(o *train.Options) { o.Tilt = true }},
		{"uniform paths", Options{Sampling: options.SamplingUniform}, func(*train.Options) {}},
		{"smoothing", Options{Smoothing: new(0.25)}, func(o *train.Options) { o.Smoothing = 0.25 }},
	} {
		tc.stated.Epochs = new(3.0)
		want := base
		tc.change(&want)
		if d := cmp.Diff(want, optionsOf(tc.stated, 2, 4, 8)); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
	if base.Steps != 300 || !base.Scheduler || base.Distortion == 0 || base.Damping == 0 || base.Average == 0 || base.Paths != 3 {
		t.Errorf("defaults %+v", base)
	}
	if o := optionsOf(Options{Epochs: new(1.0)}, 4); o.Paths != 0 || o.Steps != 100 {
		t.Errorf("one width trains %d random paths for %d steps", o.Paths, o.Steps)
	}
	if optionsOf(Options{Effort: "quick"}, 2, 4).Steps >= optionsOf(Options{Effort: "paper"}, 2, 4).Steps {
		t.Error("the efforts do not differ")
	}
	optionsOf(Options{Time: time.Minute}, 2, 4) // no number of epochs is known
}
