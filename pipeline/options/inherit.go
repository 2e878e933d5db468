package options

// over returns o with every field that it does not state taken from base.
func (o Options) over(base Options) Options {
	first(&o.Model, base.Model)
	first(&o.Data, base.Data)
	first(&o.NoLabels, base.NoLabels)
	some(&o.OutputKinds, base.OutputKinds)
	first(&o.Preprocessing, base.Preprocessing)
	first(&o.Holdout, base.Holdout)
	first(&o.Develop, base.Develop)
	first(&o.Seed, base.Seed)
	some(&o.Profiles, base.Profiles)
	some(&o.WeightBits, base.WeightBits)
	some(&o.ActivationBits, base.ActivationBits)
	some(&o.Exclude, base.Exclude)
	first(&o.Ranges, base.Ranges)
	first(&o.Rounding, base.Rounding)
	first(&o.Effort, base.Effort)
	if o.Time == 0 {
		// A number of epochs that was stated replaces a time limit of an earlier run, and the other way round.
		if o.Epochs == nil {
			o.Time = base.Time
		}
		first(&o.Epochs, base.Epochs)
	}
	first(&o.LeastUpdates, base.LeastUpdates)
	first(&o.TrainSamples, base.TrainSamples)
	first(&o.Paths, base.Paths)
	first(&o.BatchSize, base.BatchSize)
	first(&o.CheckpointEvery, base.CheckpointEvery)
	first(&o.LearningRate, base.LearningRate)
	some(&o.Augment, base.Augment)
	first(&o.NoScheduler, base.NoScheduler)
	first(&o.NoIDM, base.NoIDM)
	first(&o.NoDamping, base.NoDamping)
	first(&o.NoEMA, base.NoEMA)
	first(&o.NoKD, base.NoKD)
	first(&o.SharedNorms, base.SharedNorms)
	first(&o.Sampling, base.Sampling)
	first(&o.Smoothing, base.Smoothing)
	first(&o.FloatTeacher, base.FloatTeacher)
	first(&o.CalibrateSamples, base.CalibrateSamples)
	first(&o.SearchSamples, base.SearchSamples)
	first(&o.NormSamples, base.NormSamples)
	first(&o.VerifySamples, base.VerifySamples)
	first(&o.Provider, base.Provider)
	return o
}

func first[T comparable](v *T, base T) {
	var zero T
	if *v == zero {
		*v = base
	}
}

func some[T any](v *[]T, base []T) {
	if len(*v) == 0 {
		*v = base
	}
}
