package op

// norms bring values to a common scale.
var norms = []Row{
	{Name: "BatchNormalization", Min: 5, Max: 5, Legacy: Rewritten, Batch: BatchKept, Traits: Learned | Thresholds},
	{Name: "Dropout", Min: 1, Max: 3, Legacy: Rewritten, Batch: BatchKept},
	// Since set 21 scale and bias have an element per channel.
	{
		Name: "GroupNormalization", Min: 3, Max: 3, Since: 18, Changed: 21, Form: Like, Batch: BatchOpened,
		Traits: Learned,
	},
	{Name: "Hardmax", Min: 1, Max: 1, Legacy: Flattened},
	{Name: "InstanceNormalization", Min: 3, Max: 3, Legacy: AsIs, Form: Like, Batch: BatchKept, Traits: Learned},
	{Name: "LRN", Min: 1, Max: 1, Legacy: AsIs, Form: Like, Batch: BatchKept},
	{
		Name: "LayerNormalization", Min: 2, Max: 3, Since: 17, Form: Like, Batch: BatchByAxis,
		Traits: Learned | AlongAxis, Axis: -1,
	},
	{Name: "LogSoftmax", Min: 1, Max: 1, Legacy: Flattened, Form: Like, Batch: BatchByAxis, Traits: AlongAxis, Axis: -1},
	{Name: "LpNormalization", Min: 1, Max: 1, Legacy: AsIs, Form: Like},
	{Name: "MeanVarianceNormalization", Min: 1, Max: 1, Since: 9, Legacy: AsIs},
	{Name: "RMSNormalization", Min: 2, Max: 2, Since: 23},
	{
		Name: "Softmax", Min: 1, Max: 1, Legacy: Flattened, Form: Like, Batch: BatchKept,
		Traits: AlongAxis | Bounded | Unsigned, Axis: -1,
	},
}
