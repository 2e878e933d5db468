package options

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// TestValidateListsAllProblems: one error names all of them.
func TestValidateListsAllProblems(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		want []string
	}{
		{Options{TrainingOptions: TrainingOptions{Epochs: new(-1.0)}, SearchOptions: SearchOptions{Targets: []string{"4.0bit", "many"}, Pins: []string{"x"}}}, []string{`"many"`, `"x"`, "epochs: -1 is not from 0 to 1000000"}},
		{Options{ModelOptions: ModelOptions{OutputKinds: []string{"z=w"}}, DataOptions: DataOptions{Holdout: new(1.0), Develop: new(-1)}, SearchOptions: SearchOptions{Caps: []string{"y"}}}, []string{`"y"`, `"w"`, "holdout: 1 is not above 0 and below 1", "develop"}},
		{Options{WidthOptions: WidthOptions{Float: true, WeightBits: []int{4}}, SearchOptions: SearchOptions{Targets: []string{"4.0bit"}}}, []string{"float takes no target", "exclude each other"}},
		{Options{SearchOptions: SearchOptions{Policy: "p", Targets: []string{"4.0bit", "3.0bit"}, Caps: []string{"x=4/4"}}}, []string{"2 targets", "pin and cap"}},
		{Options{SearchOnly: true, FinetuneOptions: FinetuneOptions{Polish: new(-1.0)}}, []string{"polish: -1", "polish: it trains"}},
		{Options{WidthOptions: WidthOptions{WeightBits: []int{1}, ActivationBits: []int{9}}, CalibrationOptions: CalibrationOptions{Ranges: "r"}, RoundingOptions: RoundingOptions{Rounding: "up"}}, []string{"bits: 1", "bits: 9", `"r"`, `"up" is not compensated or nearest`}},
		{Options{ExportOptions: ExportOptions{Profiles: []string{"gpu", "trt"}, Packed: true}}, []string{`"gpu" is not one of`, "trt has no packed weights"}},
		{Options{TrainingOptions: TrainingOptions{Effort: "much", Sampling: "s", Augment: []string{"turn"}}, MachineOptions: MachineOptions{Provider: "tpu"}}, []string{`"much" is not quick, standard or paper`, `"s"`, `"turn"`, `"tpu"`}},
		{Options{TrainingOptions: TrainingOptions{Epochs: new(1.0), Time: -1, TrainSamples: new(-1)}, MachineOptions: MachineOptions{CheckpointEvery: -1}}, []string{"epochs and time", "time: -1ns is not from 1ms", "checkpoint-every", "train-samples"}},
		{Options{TrainingOptions: TrainingOptions{FloatTeacher: new(1.0), LabelSmoothing: new(1.0), LearningRate: -1, Paths: 65}}, []string{"float-teacher: 1 is not from 0 to below 1", "label-smoothing", "lr: -1 is not above 0 and at most 100", "paths: 65 is not from 1 to 64"}},
		{
			Options{CalibrationOptions: CalibrationOptions{CalibrateSamples: -1}, TrainingOptions: TrainingOptions{BatchSize: -1}, SearchOptions: SearchOptions{Random: -1, ScoreOptions: ScoreOptions{SearchSamples: -1}}, NormOptions: NormOptions{NormSamples: -1}, VerifyOptions: VerifyOptions{VerifySamples: -1}, MachineOptions: MachineOptions{Threads: -1, MaxMemory: -1}},
			[]string{"batch", "calibrate-samples", "search-samples", "random", "norm-samples", "; samples", "threads", "max-memory"},
		},
	} {
		err := tt.o.Validate()
		if !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: error %v", tt.o, err)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q lacks %s", err, part)
			}
		}
	}
	nan, inf := math.NaN(), math.Inf(1)
	for _, o := range []Options{
		{TrainingOptions: TrainingOptions{Epochs: &nan}},
		{TrainingOptions: TrainingOptions{Epochs: &inf}},
		{FinetuneOptions: FinetuneOptions{Polish: &nan}},
		{DataOptions: DataOptions{Holdout: &nan}},
		{TrainingOptions: TrainingOptions{FloatTeacher: &nan}},
		{TrainingOptions: TrainingOptions{LabelSmoothing: &nan}},
		{TrainingOptions: TrainingOptions{LearningRate: nan}},
		{TrainingOptions: TrainingOptions{LearningRate: inf}},
		{MachineOptions: MachineOptions{Threads: 1e9}},
		{SearchOptions: SearchOptions{Random: 1e9}},
		{TrainingOptions: TrainingOptions{BatchSize: 1e9}},
		{TrainingOptions: TrainingOptions{Paths: 1e9}},
		{TrainingOptions: TrainingOptions{Time: 1 << 62}},
		{SearchOptions: SearchOptions{ScoreOptions: ScoreOptions{SearchSamples: 1e10}}},
		{SearchOptions: SearchOptions{Targets: []string{strings.Repeat("9", 400) + "bit"}}},
		{SearchOptions: SearchOptions{Targets: []string{strings.Repeat("9", 308) + "TBitOPs"}}},
		{SearchOptions: SearchOptions{Targets: []string{"nanbit"}}},
		{SearchOptions: SearchOptions{Targets: []string{"1e400bit"}}},
		{SearchOptions: SearchOptions{Targets: []string{"-1bit"}}},
	} {
		if err := o.Validate(); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	for _, o := range []Options{{}, Defaults("quick"), Defaults("standard"), Defaults("paper")} {
		if err := o.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// TestSearchPolishesNothing: a search trains nothing.
func TestSearchPolishesNothing(t *testing.T) {
	if err := (Options{SearchOnly: true, FinetuneOptions: FinetuneOptions{Polish: new(1.0)}}).Validate(); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "polish") {
		t.Errorf("error %v", err)
	}
}
