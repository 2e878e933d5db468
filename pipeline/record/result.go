// Package record holds what a run leaves behind as JSON: results for users, and what its stages note in the workspace
// for later runs. Every type says by Check what cannot be true of it.
package record

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

type (
	// FloatOp is a node of an exported file that onnxruntime computes in float.
	FloatOp = session.FloatOp
	// LoadCost is what it takes onnxruntime to load an exported file.
	LoadCost = session.LoadCost
)

// Result of a run; its JSON is what `compress --json` prints. Here and below, Top1 is a share of the test samples
// between 0 and 1, nil without labels; a loss is the mean cross-entropy in nats, without labels the KL divergence from
// the float model's outputs.
type Result struct {
	Model       string         `json:"model"`
	Data        string         `json:"data"`
	Seed        uint64         `json:"seed"`
	Fingerprint string         `json:"fingerprint"` // of the supernet that all results share
	Seconds     Seconds        `json:"seconds"`
	Float       FloatMetric    `json:"float"`
	Results     []TargetResult `json:"results"`

	Workspace string     `json:"-"` // its folder
	Events    event.Sink `json:"-"` // of the run
}

// Seconds each stage took in this run; 0 for a stage whose earlier result was taken.
type Seconds struct {
	Calibrate float64 `json:"calibrate"`
	Train     float64 `json:"train"`
	Waiting   float64 `json:"waiting"` // of Train, until samples were decoded
	Round     float64 `json:"round"`
	Search    float64 `json:"search"`
	// Checkpoints is the part of Train that went into checkpoints.
	Checkpoints float64 `json:"checkpoints"`
	Polish      float64 `json:"polish"`
	Export      float64 `json:"export"`
	Verify      float64 `json:"verify"`
}

// FloatMetric is the float model on the test samples.
type FloatMetric struct {
	Top1 *float64 `json:"top1"`
	Loss float64  `json:"loss"`
}

// Metric is the simulation on the test samples, or onnxruntime where that is said. Agreement is the share of samples on
// which it predicts what the float model does.
type Metric struct {
	Top1      *float64 `json:"top1"`
	Loss      float64  `json:"loss"`
	Agreement float64  `json:"agreement"`
}

// TargetResult is what was found for one target.
type TargetResult struct {
	Target            string      `json:"target"`
	Feasible          [2]float64  `json:"feasible"` // range of the target's first limit, in its unit
	BitOPs            int64       `json:"bitops"`
	AvgWeightBits     float64     `json:"avg_weight_bits"`     // of searchable layers, by parameters
	AvgActivationBits float64     `json:"avg_activation_bits"` // of searchable tensors, by elements
	PackedBytes       int64       `json:"packed_bytes"`        // weights at their own width, all else as 4-byte floats
	Metric            Metric      `json:"metric"`
	Uniform           Uniform     `json:"uniform"`
	Polish            *Polish     `json:"polish,omitempty"` // nil where the found policy was not trained alone
	Policy            []PolicyRow `json:"policy"`
	Files             []File      `json:"files"`

	Unit   string         `json:"-"` // of Feasible
	Search *search.Result `json:"-"` // moves and Pareto points, for the report
}

// Uniform is the budget-filled uniform baseline of a target.
type Uniform struct {
	Bits   int      `json:"bits"`
	Top1   *float64 `json:"top1"`
	BitOPs int64    `json:"bitops"`
	// Gain is what the result's policy, before it is polished, is better by on the same samples; nil without labels,
	// where it is the baseline, and where not all of them were simulated.
	Gain *Gain `json:"gain,omitempty"`
}

// Gain is a difference of top-1, with its 95 % interval from the differences sample by sample.
type Gain struct {
	Top1     float64    `json:"top1"`
	Interval [2]float64 `json:"interval"`
}

// Polish is what training the found policy alone has added.
type Polish struct {
	Epochs      float64 `json:"epochs"`
	Fingerprint string  `json:"fingerprint"` // of everything that decided the result
	Before      Metric  `json:"before"`      // the policy as the search left it, in onnxruntime
	// Gain is what the trained policy is better by on the same samples; nil without labels, and where the simulation
	// had no time for all of them.
	Gain *Gain `json:"gain,omitempty"`
}

// PolicyRow is one layer of a policy.
type PolicyRow struct {
	Node   string `json:"node"`
	W      int    `json:"w"`    // bits of its weights
	A      int    `json:"a"`    // bits of the tensor it reads
	MACs   int64  `json:"macs"` // per sample
	Params int64  `json:"params"`
}

// FloatTarget names the result of a run without quantizers, and its profile.
const FloatTarget = "float"

// FloatBits is the width of float weights and activations.
const FloatBits = 32

// File is one exported model, as the runtime sees it.
type File struct {
	Profile         string   `json:"profile"`
	Path            string   `json:"path"`
	Bytes           int64    `json:"bytes"`
	SHA256          string   `json:"sha256"` // with external data, of the hashes of all its files
	Top1            *float64 `json:"top1"`
	Flips           int      `json:"flips"`              // predictions that differ from the simulation's
	MaxAbsDiff      float64  `json:"max_abs_diff"`       // over the model's outputs, beside the simulation's
	ImagesPerS      float64  `json:"images_per_s"`       // samples per second on one thread: FloatImagesPerS times the median of paired ratios
	FloatImagesPerS float64  `json:"float_images_per_s"` // of the float model, median of runs in turn with the file's
	Verified        bool     `json:"verified"`           // differences lie within the tolerance of the profile
	CodesCompared   int64    `json:"codes_compared"`
	CodesDifferent  int64    `json:"codes_different"`
	MaxCodeDiff     int      `json:"max_code_diff"`
	SamplesCompared int      `json:"pictures_compared"`
	// Outputs says how near each output of the whole file is to the simulation's on these samples.
	Outputs []metric.Fidelity `json:"outputs,omitempty"`
	// ComputedBy says what computed the whole file for that: its own runtime, or what stands in for it.
	ComputedBy string `json:"computed_by,omitempty"`

	// What the file really is: bits per weight on disk, and what computes at which width.
	StoredBits  float64   `json:"stored_bits"`           // of all weights of layers, on average
	IntegerOps  *int      `json:"integer_ops"`           // operators that onnxruntime runs on 8-bit integers; null but for profile ort
	FloatOps    []FloatOp `json:"float_ops"`             // operators that it runs in float; null but for profile ort
	Arithmetic  string    `json:"arithmetic"`            // what computes at which width, in words
	Tail        []string  `json:"tail,omitempty"`        // nodes behind the last layer that are as the float model has them
	TailUnrun   string    `json:"tail_unrun,omitempty"`  // why onnxruntime cannot run them: they are compared by their text alone
	Limited     []string  `json:"limited"`               // 8-bit layers in which pairs of weights were bounded, see quantize.LimitPairs
	Packed      bool      `json:"packed,omitempty"`      // weights are stored at their own width
	Load        *LoadCost `json:"load,omitempty"`        // of a packed file
	PlainLoad   *LoadCost `json:"plain_load,omitempty"`  // of the same file with 8 bits per weight
	PlainLength int64     `json:"plain_bytes,omitempty"` // its size
}

// Fused tells how many of a file's computing operators onnxruntime runs on 8-bit integers and how many there are. It is
// not ok where that was not measured: files of other profiles are for other runtimes.
func (f File) Fused() (integer, all int, ok bool) {
	if f.IntegerOps == nil || *f.IntegerOps+len(f.FloatOps) == 0 {
		return 0, 0, false
	}
	return *f.IntegerOps, *f.IntegerOps + len(f.FloatOps), true
}

// OutputsText says in words how near the outputs of a file are to the simulation's: the worst of them.
func OutputsText(outputs []metric.Fidelity) string {
	if len(outputs) == 0 {
		return "outputs were not compared"
	}
	worst := slices.MinFunc(outputs, func(a, b metric.Fidelity) int { return cmp.Compare(a.SNR, b.SNR) })
	switch {
	case worst.SNR >= metric.MostSNR:
		return "outputs are equal"
	case len(outputs) == 1:
		return fmt.Sprintf("outputs are %.1f dB from the simulation's", worst.SNR)
	default:
		return fmt.Sprintf("outputs are %.1f dB and more from the simulation's (%s)", worst.SNR, worst.Name)
	}
}

// SayArithmetic states what computes at which width: what was measured, else what the profile's runtime promises.
func (f *File) SayArithmetic() {
	if f.Profile != export.ProfileORT {
		f.IntegerOps, f.FloatOps = nil, nil // programs before this one wrote 0 and an empty list
	}
	f.Arithmetic = export.Named(f.Profile).Arithmetic
	integer, all, ok := f.Fused()
	switch {
	case !ok:
	case integer == 0:
		f.Arithmetic = fmt.Sprintf("float: onnxruntime fused none of %d operators, so the file saves storage and no time", all)
	case integer == all:
		f.Arithmetic = fmt.Sprintf("8-bit integers in all %d operators, whatever the bits", all)
	default:
		f.Arithmetic = fmt.Sprintf("8-bit integers in %d of %d operators, whatever the bits; %d in float", integer, all, all-integer)
	}
}

// PolicyRows lists the layers of a policy.
func PolicyRows(plan *quantize.Plan, p quantize.Policy) []PolicyRow {
	rows := make([]PolicyRow, len(plan.Layers))
	for i, l := range plan.Layers {
		w, a := plan.Bits(p, i)
		rows[i] = PolicyRow{l.Node, w, a, l.MACs, l.Params}
	}
	return rows
}
