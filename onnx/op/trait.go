package op

// Trait is a set of promises.
type Trait uint32

// Promises about what an operator does to elements.
const (
	// Pointwise: each element of the result depends on those at its place alone. The operator may be computed in
	// another order of dimensions.
	Pointwise Trait = 1 << iota
	// Activation: it bends every element of its first input. No bounds of a quantizer behind it make it redundant.
	Activation
	// Absorbed: it cuts values off, which the bounds of a quantizer behind it can do in its place.
	Absorbed
	// Alike: it does the same to all elements, whatever channel they are of.
	Alike
	// View: it moves or selects elements of its first input, or adds zeros, so that it runs on integer codes unchanged.
	View
	// Preserving: each element of the result is one of its first input.
	Preserving
	// InOrder: elements keep their order, only the shape changes.
	InOrder
	// Comparable: it keeps values comparable, so that 8 bits for what it reads are enough.
	Comparable
	// Bounded: no element of the result is smaller than Row.Floor.
	Bounded
	// Unsigned: its result is quantized without sign. Not every Floor of 0 promises that: plans of old workspaces stay.
	Unsigned
	// Pole: it has no bound, or no value at all, beside some element that it may read.
	Pole
	// Quotient: its pole is a division, where the sign of a zero decides.
	Quotient
)

// Promises about inputs, attributes and where an operator stands.
const (
	// Learned: its constants are parameters that training found.
	Learned Trait = 1 << (iota + 16)
	// Window: it slides a window, with auto_pad or pads.
	Window
	// Pool: it takes one number of every window, of each channel by itself.
	Pool
	// AlongAxis: it works along the dimension that attribute axis names, Row.Axis by default.
	AlongAxis
	// Counts: the data decides how long its result is.
	Counts
	// Carries: it converts, moves or counts values, which is no arithmetic.
	Carries
	// Thresholds: FINN makes thresholds of it and a Quant behind it.
	Thresholds
)

// Legacy says what becomes of a node of the operator sets 7 to 12 in set 13.
type Legacy uint8

const (
	// Unread nodes have another meaning, or nobody looked.
	Unread Legacy = iota
	// AsIs nodes mean the same, types aside.
	AsIs
	// Rewritten nodes get another form.
	Rewritten
	// Flattened nodes take all dimensions from their axis on for one.
	Flattened
)

// Form says how the shape and type of the result follow from the inputs, where a rule of shape inference needs no more.
type Form uint8

const (
	// OwnForm has a rule of its own, or none.
	OwnForm Form = iota
	// Like the first input.
	Like
	// Broadcast of all inputs.
	Broadcast
	// Truth is a broadcast of all inputs with booleans for elements.
	Truth
	// Reduced lacks axes of the first input, or has one element along them.
	Reduced
)

// Batch says what becomes of the leading dimension of what an operator reads.
type Batch uint8

const (
	// BatchUnknown may be used for something else.
	BatchUnknown Batch = iota
	// BatchKept stays the leading dimension of the result.
	BatchKept
	// BatchOpened does so, too, which is used where a fixed batch is opened; computed shapes are not followed past it.
	BatchOpened
	// BatchByAxis depends on attribute axis. As for BatchOpened, it is used where a fixed batch is opened.
	BatchByAxis
	// BatchByAxes depends on a list of axes.
	BatchByAxes
	// BatchOpenedByAxes depends on a list of axes, and is used where a fixed batch is opened.
	BatchOpenedByAxes
)

// Stream says what an operator between quantized layers reads of 8-bit streams.
type Stream uint8

const (
	// NoStream computes in float.
	NoStream Stream = iota
	// Joins reads all inputs.
	Joins
	// Averages reads its first input.
	Averages
)
