package options

import "math"

// WithTraining returns o with the options that decide how a supernet is trained taken from another run.
func (o Options) WithTraining(from Options) Options {
	o.Ranges = from.Ranges
	o.Effort, o.Epochs, o.Time, o.LeastUpdates = from.Effort, from.Epochs, from.Time, from.LeastUpdates
	o.TrainSamples, o.Paths = from.TrainSamples, from.Paths
	o.BatchSize, o.LearningRate, o.Augment = from.BatchSize, from.LearningRate, from.Augment
	o.NoScheduler, o.NoIDM, o.NoDamping, o.NoEMA = from.NoScheduler, from.NoIDM, from.NoDamping, from.NoEMA
	o.NoKD, o.SharedNorms = from.NoKD, from.SharedNorms
	o.Sampling, o.Smoothing, o.FloatTeacher = from.Sampling, from.Smoothing, from.FloatTeacher
	return o
}

// Trains reports whether a resolved run trains at all.
func (o Options) Trains() bool { return o.Time > 0 || o.Epochs != nil && *o.Epochs > 0 }

// StatesTraining reports whether any option is stated that decides how a supernet is trained.
func (o Options) StatesTraining() bool {
	return o.Ranges != "" || o.Effort != "" || o.Epochs != nil || o.Time > 0 || o.TrainSamples != nil || o.Paths > 0 || o.BatchSize > 0 ||
		o.LearningRate > 0 || len(o.Augment) > 0 || o.NoScheduler != nil || o.NoIDM != nil || o.NoDamping != nil || o.NoEMA != nil ||
		o.NoKD != nil || o.SharedNorms != nil || o.Sampling != "" || o.Smoothing != nil || o.FloatTeacher != nil
}

// Updates is the length of a schedule by epochs of so many steps, of options with defaults.
func (o Options) Updates(perEpoch int) int {
	return max(int(math.Ceil(*o.Epochs*float64(perEpoch))), *o.LeastUpdates)
}
