// Package options says what a run can be asked to do: its options, their defaults, what they inherit from an earlier
// run, and which are no good.
package options

import (
	"runtime"
	"time"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/pipeline/event"
)

// Options of a run. The zero value of a field means "not stated": it is taken from the manifest of the workspace, else
// from Defaults. Pointers are used where zero is a choice of its own. The parts are embedded, so that a field is read
// and set as o.Epochs; their JSON is one flat object.
//
// A field of a part decides results and counts in the stamp of each stage that takes the part, unless its tag says
// stamp:"-". The tag flag names its flag on the command line.
type Options struct {
	ModelOptions
	DataOptions
	WidthOptions
	CalibrationOptions
	TrainingOptions
	RoundingOptions
	SearchOptions
	NormOptions
	FinetuneOptions
	ExportOptions
	VerifyOptions
	MachineOptions

	Workspace string  `json:"-" flag:"workspace"`         // folder of the workspace
	Seed      *uint64 `json:"seed,omitempty" flag:"seed"` // of everything random
	Retrain   bool    `json:"-" flag:"retrain"`           // throw the trained supernet away
	// SearchOnly refuses to train: a supernet must be there.
	SearchOnly bool       `json:"-"`
	Events     event.Sink `json:"-"`
}

// ModelOptions say which network to work on.
type ModelOptions struct {
	Model string `json:"model,omitempty" stamp:"-"` // path of an ONNX file; imported into the workspace first
	// OutputKinds says which outputs are class scores and which values, where shapes do not tell: KIND or NAME=KIND.
	OutputKinds []string `json:"output_kinds,omitempty" flag:"outputs"`
}

// DataOptions say which samples to work on, and how they become inputs.
type DataOptions struct {
	// Data is the path of a folder, zip, IDX pair, CIFAR .bin or .npz. Its content counts, not its place.
	Data     string `json:"data,omitempty" flag:"data" stamp:"-"`
	NoLabels *bool  `json:"no_labels,omitempty" flag:"no-labels"` // train and search against the float model's own outputs
	// Preprocessing is JSON as in the model's metadata; it replaces what the model says.
	Preprocessing string `json:"preprocessing,omitempty"`
	// Edit changes parts of the preprocessing that the workspace or the model holds. The result counts.
	Edit models.Edit `json:"-" stamp:"-"`

	Holdout *float64 `json:"holdout,omitempty" flag:"holdout"` // share of samples held out where the data has no test split
	// Develop takes so many training samples, always the same, away from training and puts them in the place of the
	// test samples: for every choice that must not be made by looking at those.
	Develop *int `json:"develop,omitempty" flag:"develop"`
	// Reserved says that some training samples are held out for the comparison of a search with its baseline. A trained
	// supernet keeps what it was trained with: those of older programs have seen all samples.
	Reserved bool `json:"reserved,omitempty"`
}

// WidthOptions say what is quantized, and to which widths.
type WidthOptions struct {
	WeightBits     []int    `json:"weight_bits,omitempty" flag:"weight-bits"`
	ActivationBits []int    `json:"activation_bits,omitempty" flag:"activation-bits"`
	Exclude        []string `json:"exclude,omitempty" flag:"exclude"` // node patterns that stay float
	// Float trains on without any quantizer: the same code and schedule, for baselines.
	Float bool `json:"float,omitempty"`
	// Int8 says that the supernet serves a profile without unsigned 8-bit type, so that unsigned codes end at 127. It
	// follows from the profiles and stays true for a supernet that was trained so.
	Int8 bool `json:"int8,omitempty"`
	// ZeroPoints says that activations with a small negative part have zero points of their own. It follows from the
	// profiles and stays as it is for a trained supernet.
	ZeroPoints bool `json:"zero_points,omitempty"`
	// ConvOutputs says that results of convolutions in front of activations such as HardSwish are quantized, too. It
	// follows from the profiles and stays as it is for a trained supernet: those of older programs have no such
	// quantizers.
	ConvOutputs bool `json:"outputs,omitempty"`
}

// CalibrationOptions say how step sizes and statistics are found before training.
type CalibrationOptions struct {
	CalibrateSamples int `json:"calibrate_samples,omitempty" flag:"calibrate-samples"` // samples for ranges and inserted norms
	// Ranges is how calibration chooses the first step sizes: mse, percentile or minmax.
	Ranges string `json:"ranges,omitempty" flag:"ranges"`
}

// TrainingOptions say how the supernet is trained.
type TrainingOptions struct {
	// Effort is quick, standard or paper: presets of what follows, which counts.
	Effort string        `json:"effort,omitempty" flag:"effort" stamp:"-"`
	Epochs *float64      `json:"epochs,omitempty" flag:"epochs"` // 0: post-training quantization
	Time   time.Duration `json:"time,omitempty" flag:"time"`     // limit for training, replaces Epochs
	// LeastUpdates is the shortest schedule, however few the samples. It comes with an effort; stated epochs hold.
	LeastUpdates *int     `json:"least_updates,omitempty"`
	TrainSamples *int     `json:"train_samples,omitempty" flag:"train-samples"`
	Paths        int      `json:"paths,omitempty" flag:"paths"` // per training step, the widest path included
	BatchSize    int      `json:"batch_size,omitempty" flag:"batch"`
	LearningRate float64  `json:"learning_rate,omitempty" flag:"lr"` // 0: follows from the length of the schedule
	Augment      []string `json:"augment,omitempty" flag:"augment"`  // flip, crop; "none" alone for nothing
	// Sampling is how random paths are drawn: near policies that the calibrated network is good with, one per step
	// tilted to low widths by an amount of chance, or all uniform.
	Sampling       string   `json:"sampling,omitempty" flag:"sampling"`
	LabelSmoothing *float64 `json:"label_smoothing,omitempty" flag:"label-smoothing"`
	// FloatTeacher is the share of the distance to the float model's outputs in the task loss, beside the labels.
	FloatTeacher *float64 `json:"float_teacher,omitempty" flag:"float-teacher"`
	// Parts of the training recipe to leave out, for ablations.
	NoScheduler *bool `json:"no_scheduler,omitempty" flag:"no-scheduler"` // every width may be drawn at any time
	NoIDM       *bool `json:"no_idm,omitempty" flag:"no-idm"`             // no distance between the lowest width and the widest path
	NoDamping   *bool `json:"no_damping,omitempty" flag:"no-damping"`     // weights are not pulled toward their levels
	NoKD        *bool `json:"no_kd,omitempty" flag:"no-kd"`               // random paths do not learn from the widest one
	NoEMA       *bool `json:"no_ema,omitempty" flag:"no-ema"`             // the result is the last step, not the moving average
	SharedNorms *bool `json:"shared_norms,omitempty" flag:"shared-norms"` // one BatchNorm per layer, whatever the widths
}

// RoundingOptions say how trained weights become codes.
type RoundingOptions struct {
	Rounding string `json:"rounding,omitempty" flag:"rounding"` // compensated or nearest
}

// SearchOptions say what to aim at. All but SearchSamples belong to one run and are not kept.
type SearchOptions struct {
	Targets []string `json:"-" flag:"target" stamp:"-"` // each is in the stamp of its own search
	Pins    []string `json:"-" flag:"pin"`              // NODE=W/A
	Caps    []string `json:"-" flag:"cap"`              // NODE=W/A
	Policy  string   `json:"-" flag:"policy" stamp:"-"` // path of an edited policy, exported as it is in place of a search
	// Random compares each search with the best of so many random policies at the same budget. It changes no policy.
	Random int `json:"-" flag:"random" stamp:"-"`
	ScoreOptions
}

// ScoreOptions say on what candidates are scored.
type ScoreOptions struct {
	SearchSamples int `json:"search_samples,omitempty" flag:"search-samples"` // samples that score a candidate
	// SearchSeed draws the samples of the search in this run, so that what depends on them can be seen; nil: Seed does.
	SearchSeed *uint64 `json:"-" flag:"search-seed"`
}

// NormOptions say how BatchNorm is re-estimated for a found policy.
type NormOptions struct {
	NormSamples int `json:"norm_samples,omitempty" flag:"norm-samples"`
}

// FinetuneOptions say how a found policy is trained alone.
type FinetuneOptions struct {
	// Polish trains each found policy alone for so many epochs more, from the supernet, which stays as it is; nil: a
	// policy that was fine-tuned before stays so.
	Polish *float64 `json:"-" flag:"polish"`
}

// ExportOptions say which files to write.
type ExportOptions struct {
	// Profiles are the dialects of the files. The first is that of candidates.
	Profiles []string `json:"profiles,omitempty" flag:"profile"`
	// Packed stores weights at their own width. Files are written by each run, so it counts in no stamp.
	Packed bool `json:"-" flag:"packed" stamp:"-"`
}

// VerifyOptions say how files are verified.
type VerifyOptions struct {
	VerifySamples int `json:"verify_samples,omitempty" flag:"samples"` // samples whose codes are compared one by one
}

// MachineOptions say where to work. Results depend on none but Provider.
type MachineOptions struct {
	Provider string `json:"provider,omitempty" flag:"provider"` // cpu, cuda or tensorrt
	Threads  int    `json:"-" flag:"threads" stamp:"-"`         // 0: all
	// OnnxRuntime is the path of the library; "" looks in the usual places.
	OnnxRuntime string `json:"-" flag:"onnxruntime" stamp:"-"`
	// CheckpointEvery is the time between two checkpoints of the training, which is what a crash can cost.
	CheckpointEvery time.Duration `json:"-" flag:"checkpoint-every" stamp:"-"`
	// MaxMemory is the most bytes that a run may take; 0: no limit. What would take more is refused beforehand.
	MaxMemory int64 `json:"-" stamp:"-"`
}

// Values of Options.Sampling.
const (
	SamplingFront   = "front"
	SamplingTilted  = "tilted"
	SamplingUniform = "uniform"
)

// Values of Options.Rounding.
const (
	RoundingCompensated = "compensated"
	RoundingNearest     = "nearest"
)

// Drawn is the seed that draws the samples of the search in a run with a seed.
func (o ScoreOptions) Drawn(seed uint64) uint64 {
	if o.SearchSeed != nil {
		return *o.SearchSeed
	}
	return seed
}

// Workers is the number of threads that a run works with.
func (o MachineOptions) Workers() int {
	if o.Threads > 0 {
		return o.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// Ranges lists what Options.Ranges may be.
func Ranges() []string { return calibrate.AllRanges() }

// Profiles lists what Options.Profiles may name.
func Profiles() []string { return export.Profiles() }
