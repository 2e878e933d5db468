package op

// activations work on every element by itself.
var activations = []Row{
	{Name: "Celu", Min: 1, Max: 1, Since: 12, Legacy: AsIs, Form: Like, Batch: BatchOpened, Traits: Activation},
	{
		Name: "Clip", Min: 1, Max: 3, Legacy: Rewritten, Form: Like, Batch: BatchKept,
		Traits: Pointwise | Absorbed | Alike | Comparable,
	},
	{Name: "Elu", Min: 1, Max: 1, Legacy: AsIs, Form: Like, Batch: BatchKept, Traits: Pointwise | Activation},
	{
		Name: "Erf", Min: 1, Max: 1, Since: 9, Legacy: AsIs, Form: Like, Batch: BatchOpened,
		Traits: Pointwise | Activation | Bounded, Floor: -1,
	},
	{
		Name: "Gelu", Min: 1, Max: 1, Since: 20, Form: Like, Batch: BatchOpened,
		Traits: Pointwise | Activation | Bounded, Floor: -1, Dip: -0.170,
	},
	{
		Name: "HardSigmoid", Min: 1, Max: 1, Legacy: AsIs, Form: Like, Batch: BatchKept,
		Traits: Pointwise | Activation | Bounded | Unsigned,
	},
	{
		Name: "HardSwish", Min: 1, Max: 1, Since: 14, Form: Like, Batch: BatchKept,
		Traits: Pointwise | Activation | Bounded, Floor: -1, Dip: -0.375,
	},
	{
		Name: "LeakyRelu", Min: 1, Max: 1, Legacy: AsIs, Form: Like, Batch: BatchKept,
		Traits: Pointwise | Activation | Alike,
	},
	{
		Name: "Mish", Min: 1, Max: 1, Since: 18, Form: Like, Batch: BatchOpened,
		Traits: Pointwise | Activation | Bounded, Floor: -1, Dip: -0.309,
	},
	{
		Name: "PRelu", Min: 2, Max: 2, Legacy: AsIs, Form: Like, Batch: BatchOpened,
		Traits: Pointwise | Activation | Learned,
	},
	{
		Name: "Relu", Min: 1, Max: 1, Legacy: AsIs, Form: Like, Batch: BatchKept,
		Traits: Pointwise | Absorbed | Alike | Comparable | Bounded | Unsigned | Thresholds,
	},
	{Name: "Selu", Min: 1, Max: 1, Legacy: AsIs, Form: Like, Batch: BatchOpened, Traits: Activation | Thresholds},
	{Name: "Shrink", Min: 1, Max: 1, Since: 9, Legacy: AsIs},
	{
		Name: "Sigmoid", Min: 1, Max: 1, Legacy: AsIs, Form: Like, Batch: BatchKept,
		Traits: Pointwise | Activation | Bounded | Unsigned,
	},
	{
		Name: "Softplus", Min: 1, Max: 1, Legacy: AsIs, Form: Like, Batch: BatchOpened,
		Traits: Pointwise | Activation | Bounded,
	},
	{
		Name: "Softsign", Min: 1, Max: 1, Legacy: AsIs, Form: Like, Batch: BatchOpened,
		Traits: Activation | Bounded, Floor: -1,
	},
	// Its negative part is small where alpha is positive, and as deep as 0.278/alpha.
	{Name: "Swish", Min: 1, Max: 1, Since: 24, Batch: BatchOpened, Traits: Pointwise | Activation, Dip: -0.278},
	{Name: "SwiGLU", Min: 2, Max: 2, Since: 28},
	{
		Name: "Tanh", Min: 1, Max: 1, Legacy: AsIs, Form: Like, Batch: BatchKept,
		Traits: Pointwise | Activation | Bounded, Floor: -1,
	},
	{
		Name: "ThresholdedRelu", Min: 1, Max: 1, Since: 10, Legacy: AsIs, Form: Like, Batch: BatchOpened,
		Traits: Activation,
	},
}
