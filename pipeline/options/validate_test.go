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
		{Options{Targets: []string{"4.0bit", "many"}, Pins: []string{"x"}, Epochs: new(-1.0)}, []string{`"many"`, `"x"`, "epochs: -1 is not from 0 to 1000000"}},
		{Options{Caps: []string{"y"}, OutputKinds: []string{"z=w"}, Holdout: new(1.0), Develop: new(-1)}, []string{`"y"`, `"w"`, "holdout: 1 is not above 0 and below 1", "develop"}},
		{Options{Float: true, Targets: []string{"4.0bit"}, WeightBits: []int{4}}, []string{"float takes no target", "exclude each other"}},
		{Options{Policy: "p", Targets: []string{"4.0bit", "3.0bit"}, Caps: []string{"x=4/4"}}, []string{"2 targets", "pin and cap"}},
		{Options{Polish: new(-1.0), SearchOnly: true}, []string{"polish: -1", "polish: it trains"}},
		{Options{WeightBits: []int{1}, ActivationBits: []int{9}, Ranges: "r", Rounding: "up"}, []string{"bits: 1", "bits: 9", `"r"`, `"up" is not compensated or nearest`}},
		{Options{Profiles: []string{"gpu", "trt"}, Packed: true}, []string{`"gpu" is not one of`, "trt has no packed weights"}},
		{Options{Effort: "much", Sampling: "s", Augment: []string{"turn"}, Provider: "tpu"}, []string{`"much" is not quick, standard or paper`, `"s"`, `"turn"`, `"tpu"`}},
		{Options{Epochs: new(1.0), Time: -1, CheckpointEvery: -1, TrainSamples: new(-1)}, []string{"epochs and time", "time: -1ns is not from 1ms", "checkpoint-every", "train-samples"}},
		{Options{FloatTeacher: new(1.0), Smoothing: new(1.0), LearningRate: -1, Paths: 65}, []string{"float-teacher: 1 is not from 0 to below 1", "label-smoothing", "lr: -1 is not above 0 and at most 100", "paths: 65 is not from 1 to 64"}},
		{
			Options{BatchSize: -1, CalibrateSamples: -1, SearchSamples: -1, Random: -1, NormSamples: -1, VerifySamples: -1, Threads: -1, MaxMemory: -1},
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
		{Epochs: &nan},
		{Epochs: &inf},
		{Polish: &nan},
		{Holdout: &nan},
		{FloatTeacher: &nan},
		{Smoothing: &nan},
		{LearningRate: nan},
		{LearningRate: inf},
		{Threads: 1e9},
		{Random: 1e9},
		{BatchSize: 1e9},
		{Paths: 1e9},
		{Time: 1 << 62},
		{SearchSamples: 1e10},
		{Targets: []string{strings.Repeat("9", 400) + "bit"}},
		{Targets: []string{strings.Repeat("9", 308) + "TBitOPs"}},
		{Targets: []string{"nanbit"}},
		{Targets: []string{"1e400bit"}},
		{Targets: []string{"-1bit"}},
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
	if err := (Options{SearchOnly: true, Polish: new(1.0)}).Validate(); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "polish") {
		t.Errorf("error %v", err)
	}
}
