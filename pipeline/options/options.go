// Package options says what a run can be asked to do: its options, their defaults, what they inherit from an earlier run, and which
// are no good.
package options

import (
	"runtime"
	"time"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/pipeline/event"
)

// Options of a run. The zero value of a field means "not stated": it is taken from the workspace's manifest, else from
// Defaults. Pointers are used where zero is a choice of its own.
type Options struct {
	// What to work on.
	Model     string `json:"model,omitempty"`     // path of an ONNX file; imported into the workspace first
	Workspace string `json:"-"`                   // folder of the workspace
	Data      string `json:"data,omitempty"`      // path of a folder, zip, IDX pair, CIFAR .bin or .npz
	NoLabels  *bool  `json:"no_labels,omitempty"` // train and search against the float model's own outputs
	// OutputKinds says which outputs are class scores and which values, where shapes do not tell: KIND or NAME=KIND.
	OutputKinds []string `json:"output_kinds,omitempty"`
	// Preprocessing is JSON as in the model's metadata; it replaces what the model says.
	Preprocessing string `json:"preprocessing,omitempty"`
	// Edit changes parts of the preprocessing that the workspace or the model holds.
	Edit models.Edit `json:"-"`

	Holdout *float64 `json:"holdout,omitempty"` // share of pictures held out where the data has no test split
	// Develop takes so many training pictures, always the same, away from training and puts them in the place of the test
	// pictures: for every choice that must not be made by looking at those.
	Develop *int    `json:"develop,omitempty"`
	Seed    *uint64 `json:"seed,omitempty"`

	// What to aim at. These belong to one run and are not kept.
	Targets []string `json:"-"`
	Pins    []string `json:"-"` // NODE=W/A
	Caps    []string `json:"-"` // NODE=W/A
	Policy  string   `json:"-"` // path of an edited policy, exported as it is in place of a search
	// Polish trains each found policy alone for so many epochs more, from the supernet, which stays as it is; nil: what was
	// polished before stays so.
	Polish *float64 `json:"-"`
	Random int      `json:"-"` // compare each search with the best of so many random policies at the same budget
	// SearchSeed draws the pictures of the search in this run, so that what depends on them can be seen; nil: Seed does.
	SearchSeed *uint64 `json:"-"`

	// How to quantize.
	Profiles []string `json:"profiles,omitempty"`
	// Int8 says that the supernet serves a profile without unsigned 8-bit type, so that unsigned codes end at 127. It
	// follows from the profiles and stays true for a supernet that was trained so.
	Int8 bool `json:"int8,omitempty"`
	// ZeroPoints says that activations with a small negative part have zero points of their own. It follows from the
	// profiles and stays as it is for a trained supernet.
	ZeroPoints bool `json:"zero_points,omitempty"`
	// Outputs says that results of convolutions in front of activations such as HardSwish are quantized, too. It follows
	// from the profiles and stays as it is for a trained supernet: those of older programs have no such quantizers.
	Outputs        bool     `json:"outputs,omitempty"`
	WeightBits     []int    `json:"weight_bits,omitempty"`
	ActivationBits []int    `json:"activation_bits,omitempty"`
	Exclude        []string `json:"exclude,omitempty"` // node patterns that stay float
	// Ranges is how calibration chooses the first step sizes: mse, percentile or minmax.
	Ranges string `json:"ranges,omitempty"`
	// Rounding is how weights become codes: compensated or nearest.
	Rounding string `json:"rounding,omitempty"`
	// Float trains on without any quantizer: the same code and schedule, for baselines.
	Float bool `json:"float,omitempty"`

	// How long to work.
	Effort string        `json:"effort,omitempty"` // quick, standard or paper: presets of what follows
	Epochs *float64      `json:"epochs,omitempty"` // 0: post-training quantization
	Time   time.Duration `json:"time,omitempty"`   // limit for training, replaces Epochs
	// LeastUpdates is the shortest schedule, however few the pictures. It comes with an effort; stated epochs hold.
	LeastUpdates *int     `json:"least_updates,omitempty"`
	TrainSamples *int     `json:"train_samples,omitempty"`
	Paths        int      `json:"paths,omitempty"` // per training step, the max path included
	BatchSize    int      `json:"batch_size,omitempty"`
	LearningRate float64  `json:"learning_rate,omitempty"` // 0: follows from the length of the schedule
	Augment      []string `json:"augment,omitempty"`       // flip, crop; "none" alone for nothing
	// Reserved says that some training pictures are kept apart to judge searches. A trained supernet keeps what it was trained
	// with: those of older programs have seen all pictures.
	Reserved bool `json:"reserved,omitempty"`
	// Sampling is how random paths are drawn: near policies that the calibrated network is good with, one per step tilted to low
	// widths by an amount of chance, or all uniform.
	Sampling  string   `json:"sampling,omitempty"`
	Smoothing *float64 `json:"label_smoothing,omitempty"`
	// Parts of the training recipe to leave out, for ablations.
	NoScheduler *bool `json:"no_scheduler,omitempty"` // every width may be drawn at any time
	NoIDM       *bool `json:"no_idm,omitempty"`       // no distance between the lowest width and the widest path
	NoDamping   *bool `json:"no_damping,omitempty"`   // weights are not pulled toward their levels
	NoKD        *bool `json:"no_kd,omitempty"`        // random paths do not learn from the widest one
	SharedNorms *bool `json:"shared_norms,omitempty"` // one BatchNorm per layer, whatever the widths
	// FloatTeacher is the share of the distance to the float model's outputs in the task loss, beside the labels.
	FloatTeacher *float64 `json:"float_teacher,omitempty"`
	NoEMA        *bool    `json:"no_ema,omitempty"` // the result is the last step, not the moving average

	// CheckpointEvery is the time between two checkpoints of the training, which is what a crash can cost.
	CheckpointEvery time.Duration `json:"-"`

	// MaxMemory is the most bytes that a run may take; 0: no limit. What would take more is refused beforehand.
	MaxMemory int64 `json:"-"`

	Retrain    bool `json:"-"`
	Packed     bool `json:"-"` // store weights at their own width; profiles of the workspace whose runtime does not unpack them stay plain
	SearchOnly bool `json:"-"` // refuse to train: a supernet must be there

	CalibrateSamples int `json:"calibrate_samples,omitempty"` // pictures for ranges and inserted norms
	SearchSamples    int `json:"search_samples,omitempty"`    // pictures that score a candidate
	NormSamples      int `json:"norm_samples,omitempty"`      // pictures for the BatchNorm statistics of a found policy
	VerifySamples    int `json:"verify_samples,omitempty"`    // pictures whose codes are compared one by one

	// Where to work.
	Provider string `json:"provider,omitempty"` // cpu, cuda or tensorrt
	Threads  int    `json:"-"`                  // 0: all; results do not depend on it
	// OnnxRuntime is the path of the library; "" looks in the usual places.
	OnnxRuntime string `json:"-"`

	Events event.Sink `json:"-"`
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

// SearchPicturesSeed is the seed that draws the pictures of the search.
func (o *Options) SearchPicturesSeed() uint64 {
	if o.SearchSeed != nil {
		return *o.SearchSeed
	}
	return *o.Seed
}

// Workers is the number of threads that a run works with.
func (o *Options) Workers() int {
	if o.Threads > 0 {
		return o.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// Ranges lists what Options.Ranges may be.
func Ranges() []string { return calibrate.AllRanges() }

// Profiles lists what Options.Profiles may name.
func Profiles() []string { return export.Profiles() }
