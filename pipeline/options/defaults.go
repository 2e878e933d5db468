package options

import (
	"slices"
	"time"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/export"
)

// Defaults are the values of everything that neither the caller nor the workspace states, for one effort.
//
// The presets differ in how much is trained: quick is for trying things out, standard is what the README shows, paper
// is the schedule length of the publication scaled to a pretrained network.
func Defaults(effort string) Options {
	epochs := map[string]float64{"quick": 1, "standard": 5, "paper": 30}[effort]
	updates := map[string]int{"quick": 400, "standard": 800, "paper": 5000}[effort]
	return Options{
		Seed:               new(uint64(1)),
		DataOptions:        DataOptions{NoLabels: new(false), Holdout: new(0.5), Develop: new(0)},
		WidthOptions:       WidthOptions{WeightBits: []int{2, 3, 4, 5, 6, 8}, ActivationBits: []int{2, 3, 4, 5, 6, 8}},
		CalibrationOptions: CalibrationOptions{CalibrateSamples: 256, Ranges: string(calibrate.MSE)},
		TrainingOptions: TrainingOptions{
			Effort: effort, Epochs: &epochs, LeastUpdates: &updates, TrainSamples: new(0), Paths: 4, BatchSize: 64,
			Augment: []string{"flip", "crop"}, Sampling: SamplingFront, LabelSmoothing: new(0.0), FloatTeacher: new(0.9),
		},
		RoundingOptions: RoundingOptions{Rounding: RoundingCompensated},
		SearchOptions:   SearchOptions{ScoreOptions: ScoreOptions{SearchSamples: 512}},
		NormOptions:     NormOptions{NormSamples: 2048},
		ExportOptions:   ExportOptions{Profiles: []string{"ort"}},
		VerifyOptions:   VerifyOptions{VerifySamples: 64},
		MachineOptions:  MachineOptions{Provider: "cpu", CheckpointEvery: time.Minute},
	}
}

// Resolve fills what is not stated from the manifest and then from the defaults. An effort that is stated anew brings
// its own number of epochs.
func (o Options) Resolve(kept Options) Options {
	switch base := Defaults(o.Effort); {
	case o.LeastUpdates != nil:
	case o.Epochs != nil || o.Time > 0:
		o.LeastUpdates = new(0)
	case o.Effort != "":
		kept.Epochs, kept.Time, kept.LeastUpdates = base.Epochs, 0, base.LeastUpdates
	}
	switch {
	case o.Float: // one path; its quantizers are off
		o.WeightBits, o.ActivationBits = []int{8}, []int{8}
	case len(o.WeightBits) == 0 && len(o.ActivationBits) == 0:
		o.Float = kept.Float
	case kept.Float:
		kept.WeightBits, kept.ActivationBits = nil, nil
	}
	o = o.inherit(kept)
	o.Int8 = kept.Int8 && !o.Retrain || slices.ContainsFunc(o.Profiles, func(p string) bool { return export.Named(p).Int8 })
	effort := o.Effort
	if effort == "" {
		effort = "standard"
	}
	return o.inherit(Defaults(effort))
}

// WithDefaults fills what is not stated from the defaults.
func (o Options) WithDefaults() Options { return o.Resolve(Options{}) }
