package options

import (
	"math"
	"reflect"
)

// WithTraining returns o with the options that decide how a supernet is trained taken from another run.
func (o Options) WithTraining(from Options) Options {
	o.Ranges, o.TrainingOptions = from.Ranges, from.TrainingOptions
	return o
}

// Trains reports whether a resolved run trains at all.
func (o TrainingOptions) Trains() bool { return o.Time > 0 || o.Epochs != nil && *o.Epochs > 0 }

// StatesTraining reports whether any option is stated that decides how a supernet is trained.
func (o Options) StatesTraining() bool {
	return o.Ranges != "" || !reflect.ValueOf(o.TrainingOptions).IsZero()
}

// Updates is the length of a schedule by epochs of so many steps, of options with defaults.
func (o TrainingOptions) Updates(perEpoch int) int {
	return max(int(math.Ceil(*o.Epochs*float64(perEpoch))), *o.LeastUpdates)
}

// Polishes reports whether this run is asked to train policies alone.
func (o FinetuneOptions) Polishes() bool { return o.Polish != nil && *o.Polish > 0 }
