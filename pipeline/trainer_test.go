package pipeline

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/train"
)

// optionsOf are the training options that stated options lead to, for 1000 pictures.
func optionsOf(stated Options, bits ...int) train.Options {
	o := stated.resolve(Options{})
	j := &job{o: o, data: &pictures{labels: true}, plan: &quantize.Plan{
		Layers: []quantize.Layer{{Node: "a", Candidates: bits, MACs: 1, Params: 1}},
		Points: []quantize.Point{{Tensor: "x", Candidates: bits, Layers: []int{0}, Elements: 1}},
	}}
	return j.trainOptions(&source{batch: 10, perEpoch: 100})
}

// TestTrainingFlags checks that every option of training reaches the trainer, and changes nothing else.
func TestTrainingFlags(t *testing.T) {
	base := optionsOf(Options{Epochs: ptr(3.0)}, 2, 4, 8)
	for _, tc := range []struct {
		name   string
		stated Options
		change func(o *train.Options)
	}{
		{"nothing", Options{}, func(*train.Options) {}},
		{"paths", Options{Paths: 6}, func(o *train.Options) { o.Paths = 5 }},
		{"rate", Options{LearningRate: 0.5}, func(o *train.Options) { o.Rate = 0.5 }},
		{"seed", Options{Seed: ptr(uint64(5))}, func(o *train.Options) { o.Seed = 5 }},
		{"no scheduler", Options{NoScheduler: ptr(true)}, func(o *train.Options) { o.Scheduler = false }},
		{"no distortion", Options{NoIDM: ptr(true)}, func(o *train.Options) { o.Distortion = 0 }},
		{"no damping", Options{NoDamping: ptr(true)}, func(o *train.Options) { o.Damping = 0 }},
		{"no average", Options{NoEMA: ptr(true)}, func(o *train.Options) { o.Average = 0 }},
		{"no distance to the widest path", Options{NoKD: ptr(true)}, func(o *train.Options) { o.Distill = 0 }},
		{"all parts", Options{NoScheduler: ptr(false), NoIDM: ptr(false), NoDamping: ptr(false), NoEMA: ptr(false), NoKD: ptr(false)}, func(*train.Options) {}},
		{"leaning paths", Options{Sampling: SamplingTilted}, func(o *train.Options) { o.Tilt = true }},
		{"uniform paths", Options{Sampling: SamplingUniform}, func(*train.Options) {}},
		{"smoothing", Options{Smoothing: ptr(0.25)}, func(o *train.Options) { o.Smoothing = 0.25 }},
	} {
		tc.stated.Epochs = ptr(3.0)
		want := base
		tc.change(&want)
		if d := cmp.Diff(want, optionsOf(tc.stated, 2, 4, 8)); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
	if base.Steps != 300 || !base.Scheduler || base.Distortion == 0 || base.Damping == 0 || base.Average == 0 || base.Paths != 3 {
		t.Errorf("defaults %+v", base)
	}
	if o := optionsOf(Options{Epochs: ptr(1.0)}, 4); o.Paths != 0 || o.Steps != 100 {
		t.Errorf("one width trains %d random paths for %d steps", o.Paths, o.Steps)
	}
	if optionsOf(Options{Effort: "quick"}, 2, 4).Steps >= optionsOf(Options{Effort: "paper"}, 2, 4).Steps {
		t.Error("the efforts do not differ")
	}
	optionsOf(Options{Time: time.Minute}, 2, 4) // no number of epochs is known
}

func TestResolveFloat(t *testing.T) {
	for _, tc := range []struct {
		name         string
		stated, kept Options
		float        bool
		bits         []int
	}{
		{"stated", Options{Float: true}, Options{WeightBits: []int{2, 4}, ActivationBits: []int{2, 4}}, true, []int{8}},
		{"kept", Options{}, Options{Float: true, WeightBits: []int{8}, ActivationBits: []int{8}}, true, []int{8}},
		{"replaced", Options{WeightBits: []int{4}, ActivationBits: []int{4}}, Options{Float: true, WeightBits: []int{8}}, false, []int{4}},
		{"half replaced", Options{ActivationBits: []int{4}}, Options{Float: true, WeightBits: []int{8}}, false, []int{2, 3, 4, 5, 6, 8}},
	} {
		o := tc.stated.resolve(tc.kept)
		if d := cmp.Diff(tc.bits, o.WeightBits); o.Float != tc.float || d != "" {
			t.Errorf("%s: float %v, %s", tc.name, o.Float, d)
		}
	}
}

// TestKeepsOptionsOfTraining checks that a supernet that stays keeps the record of how it was trained.
func TestKeepsOptionsOfTraining(t *testing.T) {
	kept := Options{Epochs: ptr(7.0), BatchSize: 32, NoEMA: ptr(true)}.resolve(Options{})
	now := Options{Epochs: ptr(9.0), BatchSize: 64, NoEMA: ptr(false), SearchSamples: 99}.resolve(kept)
	got := now.training(kept)
	if *got.Epochs != 7 || got.BatchSize != 32 || !*got.NoEMA || got.SearchSamples != 99 {
		t.Errorf("options %+v", got)
	}
}

// TestLeastUpdates: an effort brings a shortest schedule, stated epochs hold to the letter.
func TestLeastUpdates(t *testing.T) {
	epochs := 2.0
	standard := Options{}.resolve(Options{})
	for _, c := range []struct {
		name         string
		stated, kept Options
		want         int
	}{
		{"nothing stated", Options{}, Options{}, 800},
		{"quick", Options{Effort: "quick"}, Options{}, 400},
		{"epochs", Options{Epochs: &epochs}, Options{}, 0},
		{"epochs of an earlier run", Options{}, Options{Epochs: &epochs}.resolve(Options{}), 0},
		{"epochs after an effort", Options{Epochs: &epochs}, standard, 0},
		{"effort after epochs", Options{Effort: "paper"}, Options{Epochs: &epochs}.resolve(Options{}), 5000},
		{"time", Options{Time: 1}, standard, 0},
	} {
		if got := *c.stated.resolve(c.kept).LeastUpdates; got != c.want {
			t.Errorf("%s: %d updates, want %d", c.name, got, c.want)
		}
	}
}
