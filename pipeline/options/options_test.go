package options

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestResolve: what is stated counts, then what a workspace keeps, then the defaults.
func TestResolve(t *testing.T) {
	kept := Options{Seed: new(uint64(9)), DataOptions: DataOptions{Data: "kept.zip"}, WidthOptions: WidthOptions{WeightBits: []int{4}}, TrainingOptions: TrainingOptions{Epochs: new(7.0)}}
	for _, tc := range []struct {
		name   string
		stated Options
		check  func(Options) (got, want any)
	}{
		{"kept data", Options{}, func(o Options) (any, any) { return o.Data, "kept.zip" }},
		{"stated data", Options{DataOptions: DataOptions{Data: "new"}}, func(o Options) (any, any) { return o.Data, "new" }},
		{"zero epochs are stated", Options{TrainingOptions: TrainingOptions{Epochs: new(0.0)}}, func(o Options) (any, any) { return *o.Epochs, 0.0 }},
		{"kept epochs", Options{}, func(o Options) (any, any) { return *o.Epochs, 7.0 }},
		{"effort brings epochs", Options{TrainingOptions: TrainingOptions{Effort: "quick"}}, func(o Options) (any, any) { return *o.Epochs, *Defaults("quick").Epochs }},
		{"time replaces epochs", Options{TrainingOptions: TrainingOptions{Time: time.Minute}}, func(o Options) (any, any) { return o.Time, time.Minute }},
		{"kept bits", Options{}, func(o Options) (any, any) { return o.WeightBits, []int{4} }},
		{"default bits", Options{}, func(o Options) (any, any) { return o.ActivationBits, []int{2, 3, 4, 5, 6, 8} }},
		{"kept seed", Options{}, func(o Options) (any, any) { return *o.Seed, uint64(9) }},
	} {
		got, want := tc.check(tc.stated.Resolve(kept))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
}

func TestResolveFloat(t *testing.T) {
	for _, tc := range []struct {
		name         string
		stated, kept Options
		float        bool
		bits         []int
	}{
		{"stated", Options{WidthOptions: WidthOptions{Float: true}}, Options{WidthOptions: WidthOptions{WeightBits: []int{2, 4}, ActivationBits: []int{2, 4}}}, true, []int{8}},
		{"kept", Options{}, Options{WidthOptions: WidthOptions{Float: true, WeightBits: []int{8}, ActivationBits: []int{8}}}, true, []int{8}},
		{"replaced", Options{WidthOptions: WidthOptions{WeightBits: []int{4}, ActivationBits: []int{4}}}, Options{WidthOptions: WidthOptions{Float: true, WeightBits: []int{8}}}, false, []int{4}},
		{"half replaced", Options{WidthOptions: WidthOptions{ActivationBits: []int{4}}}, Options{WidthOptions: WidthOptions{Float: true, WeightBits: []int{8}}}, false, []int{2, 3, 4, 5, 6, 8}},
	} {
		o := tc.stated.Resolve(tc.kept)
		if d := cmp.Diff(tc.bits, o.WeightBits); o.Float != tc.float || d != "" {
			t.Errorf("%s: float %v, %s", tc.name, o.Float, d)
		}
	}
}

// TestKeepsOptionsOfTraining checks that a supernet that stays keeps the record of how it was trained.
func TestKeepsOptionsOfTraining(t *testing.T) {
	kept := Options{TrainingOptions: TrainingOptions{Epochs: new(7.0), BatchSize: 32, NoEMA: new(true)}}.Resolve(Options{})
	now := Options{TrainingOptions: TrainingOptions{Epochs: new(9.0), BatchSize: 64, NoEMA: new(false)}, SearchOptions: SearchOptions{ScoreOptions: ScoreOptions{SearchSamples: 99}}}.Resolve(kept)
	got := now.WithTraining(kept)
	if *got.Epochs != 7 || got.BatchSize != 32 || !*got.NoEMA || got.SearchSamples != 99 {
		t.Errorf("options %+v", got)
	}
}

// TestLeastUpdates: an effort brings a shortest schedule, stated epochs hold to the letter.
func TestLeastUpdates(t *testing.T) {
	epochs := 2.0
	standard := Options{}.Resolve(Options{})
	for _, c := range []struct {
		name         string
		stated, kept Options
		want         int
	}{
		{"nothing stated", Options{}, Options{}, 800},
		{"quick", Options{TrainingOptions: TrainingOptions{Effort: "quick"}}, Options{}, 400},
		{"epochs", Options{TrainingOptions: TrainingOptions{Epochs: &epochs}}, Options{}, 0},
		{"epochs of an earlier run", Options{}, Options{TrainingOptions: TrainingOptions{Epochs: &epochs}}.Resolve(Options{}), 0},
		{"epochs after an effort", Options{TrainingOptions: TrainingOptions{Epochs: &epochs}}, standard, 0},
		{"effort after epochs", Options{TrainingOptions: TrainingOptions{Effort: "paper"}}, Options{TrainingOptions: TrainingOptions{Epochs: &epochs}}.Resolve(Options{}), 5000},
		{"time", Options{TrainingOptions: TrainingOptions{Time: 1}}, standard, 0},
	} {
		if got := *c.stated.Resolve(c.kept).LeastUpdates; got != c.want {
			t.Errorf("%s: %d updates, want %d", c.name, got, c.want)
		}
	}
}
