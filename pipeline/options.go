package pipeline

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/policy"
	"github.com/mpqc/mpqc/quantize"
)

// PreprocessingEdit changes parts of a preprocessing.
type PreprocessingEdit = models.Edit

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
	Edit PreprocessingEdit `json:"-"`

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

// Defaults are the values of everything that neither the caller nor the workspace states, for one effort.
//
// The presets differ in how much is trained: quick is for trying things out, standard is what the README shows, paper
// is the schedule length of the publication scaled to a pretrained network.
func Defaults(effort string) Options {
	epochs := map[string]float64{"quick": 1, "standard": 5, "paper": 30}[effort]
	updates := map[string]int{"quick": 400, "standard": 800, "paper": 5000}[effort]
	return Options{
		NoLabels: ptr(false), Holdout: ptr(0.5), Develop: ptr(0), Seed: ptr(uint64(1)),
		Profiles: []string{"ort"}, WeightBits: []int{2, 3, 4, 5, 6, 8}, ActivationBits: []int{2, 3, 4, 5, 6, 8},
		Effort: effort, Epochs: &epochs, LeastUpdates: &updates, TrainSamples: ptr(0), Paths: 4, BatchSize: 64,
		Augment: []string{"flip", "crop"}, Sampling: SamplingFront, Smoothing: ptr(0.0), FloatTeacher: ptr(0.9),
		Ranges: string(calibrate.MSE), Rounding: RoundingCompensated, CalibrateSamples: 256, SearchSamples: 512, NormSamples: 2048, VerifySamples: 64,
		Provider: "cpu", CheckpointEvery: time.Minute,
	}
}

// Values of Options.Sampling.
const (
	SamplingFront   = "front"
	SamplingTilted  = "tilted"
	SamplingUniform = "uniform"
)

// searchSeed draws the pictures of the search.
func (o *Options) searchSeed() uint64 {
	if o.SearchSeed != nil {
		return *o.SearchSeed
	}
	return *o.Seed
}

func ptr[T any](v T) *T { return &v }

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

// resolve fills what is not stated from the manifest and then from the defaults. An effort that is stated anew brings
// its own number of epochs.
func (o Options) resolve(kept Options) Options {
	switch base := Defaults(o.Effort); {
	case o.LeastUpdates != nil:
	case o.Epochs != nil || o.Time > 0:
		o.LeastUpdates = ptr(0)
	case o.Effort != "":
		kept.Epochs, kept.Time, kept.LeastUpdates = base.Epochs, 0, base.LeastUpdates
	}
	switch {
	case o.Float: // one path; its quantizers are off
		o.WeightBits, o.ActivationBits = []int{8}, []int{8}
	case len(o.WeightBits) == 0 && len(o.ActivationBits) == 0:
		o.Float = kept.Float
	case kept.Float:
		kept.WeightBits, kept.ActivationBits = nil, nil
	}
	o = o.over(kept)
	o.Int8 = kept.Int8 && !o.Retrain || slices.ContainsFunc(o.Profiles, export.NeedsInt8)
	effort := o.Effort
	if effort == "" {
		effort = "standard"
	}
	return o.over(Defaults(effort))
}

// WithDefaults fills what is not stated from the defaults.
func (o Options) WithDefaults() Options { return o.resolve(Options{}) }

// Updates is the length of a schedule by epochs of so many steps, of options with defaults.
func (o Options) Updates(perEpoch int) int {
	return max(int(math.Ceil(*o.Epochs*float64(perEpoch))), *o.LeastUpdates)
}

// training returns o with the options that decide how a supernet is trained taken from another run.
func (o Options) training(from Options) Options {
	o.Ranges = from.Ranges
	o.Effort, o.Epochs, o.Time, o.LeastUpdates = from.Effort, from.Epochs, from.Time, from.LeastUpdates
	o.TrainSamples, o.Paths = from.TrainSamples, from.Paths
	o.BatchSize, o.LearningRate, o.Augment = from.BatchSize, from.LearningRate, from.Augment
	o.NoScheduler, o.NoIDM, o.NoDamping, o.NoEMA = from.NoScheduler, from.NoIDM, from.NoDamping, from.NoEMA
	o.NoKD, o.SharedNorms = from.NoKD, from.SharedNorms
	o.Sampling, o.Smoothing, o.FloatTeacher = from.Sampling, from.Smoothing, from.FloatTeacher
	return o
}

// trains reports whether a resolved run trains at all.
func (o Options) trains() bool { return o.Time > 0 || o.Epochs != nil && *o.Epochs > 0 }

// statesTraining reports whether any of those options is stated.
func (o Options) statesTraining() bool {
	return o.Ranges != "" || o.Effort != "" || o.Epochs != nil || o.Time > 0 || o.TrainSamples != nil || o.Paths > 0 || o.BatchSize > 0 ||
		o.LearningRate > 0 || len(o.Augment) > 0 || o.NoScheduler != nil || o.NoIDM != nil || o.NoDamping != nil || o.NoEMA != nil ||
		o.NoKD != nil || o.SharedNorms != nil || o.Sampling != "" || o.Smoothing != nil || o.FloatTeacher != nil
}

// ErrUsage is wrapped by errors that the caller can repair by asking differently.
var ErrUsage = errors.New("usage")

// Validate lists all problems of stated options in one error that wraps ErrUsage.
func (o Options) Validate() error {
	var bad []string
	check := func(ok bool, format string, args ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	for _, t := range o.Targets {
		if _, err := quantize.ParseTarget(t); err != nil {
			bad = append(bad, err.Error())
		}
	}
	for _, r := range append(slices.Clone(o.Pins), o.Caps...) {
		if _, err := parseRule(r); err != nil {
			bad = append(bad, err.Error())
		}
	}
	for _, bits := range union(o.WeightBits, o.ActivationBits) { // --bits states both
		check(bits >= 2 && bits <= 8, "bits: %d is not between 2 and 8", bits)
	}
	if _, err := calibrate.ParseRanges(o.Ranges); err != nil {
		bad = append(bad, err.Error())
	}
	if _, err := quantize.ParseOutputKinds(o.OutputKinds); err != nil {
		bad = append(bad, err.Error())
	}
	for _, p := range o.Profiles {
		check(slices.Contains(export.Profiles(), p), "profile: %q is not one of %s", p, strings.Join(export.Profiles(), ", "))
		check(!o.Packed || export.Unpackable(p) == "", "profile: %s has no packed weights: %s", p, export.Unpackable(p))
	}
	if err := o.Edit.Validate(); err != nil {
		bad = append(bad, err.Error())
	}
	check(slices.Contains([]string{"", "quick", "standard", "paper"}, o.Effort), "effort: %q is not quick, standard or paper", o.Effort)
	check(slices.Contains([]string{"", "cpu", "cuda", "tensorrt"}, o.Provider), "provider: %q is not cpu, cuda or tensorrt", o.Provider)
	check(!o.Float || len(o.Targets)+len(o.Pins)+len(o.Caps) == 0 && o.Policy == "", "bits: float takes no target, pin, cap or policy")
	check(!o.Float || len(o.WeightBits)+len(o.ActivationBits) == 0, "bits: float and numbers exclude each other")
	check(o.Polish == nil || *o.Polish >= 0, "polish: must not be negative")
	check(o.Polish == nil || !o.SearchOnly && !o.Float, "polish: it trains a quantized policy, a search alone or --bits float does not")
	check(o.Policy == "" || len(o.Targets) <= 1, "policy: it is one result and cannot stand for %d targets", len(o.Targets))
	check(o.Policy == "" || len(o.Pins)+len(o.Caps) == 0, "policy: it says every width; pin and cap have nothing left to do")
	check(o.Holdout == nil || *o.Holdout > 0 && *o.Holdout < 1, "holdout: must be between 0 and 1")
	check(o.Epochs == nil || *o.Epochs >= 0, "epochs: must not be negative")
	check(o.Epochs == nil || o.Time == 0, "epochs and time exclude each other")
	check(o.Time >= 0, "time: must not be negative")
	check(o.MaxMemory >= 0, "max memory: must not be negative")
	check(o.CheckpointEvery >= 0, "checkpoint every: must not be negative")
	check(o.TrainSamples == nil || *o.TrainSamples >= 0, "train samples: must not be negative")
	check(o.FloatTeacher == nil || *o.FloatTeacher >= 0 && *o.FloatTeacher < 1, "float teacher: must be from 0 to below 1; --no-labels trains without labels")
	check(o.Smoothing == nil || *o.Smoothing >= 0 && *o.Smoothing < 1, "label smoothing: must be from 0 to below 1")
	check(o.Develop == nil || *o.Develop >= 0, "develop: must not be negative")
	check(slices.Contains([]string{"", SamplingFront, SamplingTilted, SamplingUniform}, o.Sampling), "sampling: %q is not front, tilted or uniform", o.Sampling)
	check(slices.Contains([]string{"", RoundingCompensated, RoundingNearest}, o.Rounding), "rounding: %q is not compensated or nearest", o.Rounding)
	check(o.LearningRate >= 0, "learning rate: must not be negative")
	check(o.Paths >= 0 && o.Paths <= 64, "paths: must be from 1 to 64")
	for _, n := range []struct {
		name  string
		value int
	}{
		{"batch size", o.BatchSize},
		{"calibration samples", o.CalibrateSamples},
		{"search samples", o.SearchSamples}, {"random policies", o.Random},
		{"norm samples", o.NormSamples},
		{"verify samples", o.VerifySamples},
		{"threads", o.Threads},
	} {
		check(n.value >= 0, "%s: must not be negative", n.name)
	}
	for _, a := range o.Augment {
		check(slices.Contains([]string{"flip", "crop", "none"}, a), "augment: %q is not flip, crop or none", a)
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUsage, strings.Join(bad, "; "))
}

// Ranges lists what Options.Ranges may be.
func Ranges() []string { return calibrate.AllRanges() }

// union is a and what b has besides.
func union(a, b []int) []int {
	out := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// Profiles lists what Options.Profiles may name.
func Profiles() []string { return export.Profiles() }

// rule is a --pin or a --cap.
type rule struct {
	pattern string
	w, a    int
}

// parseRule reads NODE=W/A, for example layer4.*=4/8, and any line of a policy file.
func parseRule(s string) (rule, error) {
	if name, w, a, ok := policy.Line(strings.TrimSpace(s)); ok {
		return rule{name, w, a}, nil
	}
	return rule{}, fmt.Errorf("%q: want NODE=W/A, for example layer1.conv1=8/8", s)
}
