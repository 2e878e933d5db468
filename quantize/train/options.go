package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// Options of training. Defaults gives usable ones; the zero value of a field means what its comment says, not a default.
type Options struct {
	Batch int    `json:"batch"` // largest batch
	Steps int    `json:"steps"` // updates of the whole schedule
	Paths int    `json:"paths"` // random paths per step besides the widest one; 0 trains the widest path alone
	Seed  uint64 `json:"seed"`  // of the paths

	// Rates of SGD (weights, biases, norms) rise linearly over the share WarmUp of the schedule and fall to FinalRate
	// along a cosine; those of Adam (step sizes) take the same course, scaled to StepRate at the top.
	Rate      float64 `json:"rate"`
	FinalRate float64 `json:"final_rate"`
	WarmUp    float64 `json:"warm_up"`
	StepRate  float64 `json:"step_rate"`
	// StepRelative makes StepRate a share of each step size: those of 8 bits are a hundredth of those of 2.
	StepRelative bool `json:"step_relative"`

	Momentum float32 `json:"momentum"` // Nesterov
	Decay    float32 `json:"decay"`    // of conv and linear weights
	// DecayInside applies weight decay within the clipping range of the lowest width, too. Without it, weights that
	// 2-bit codes can tell apart are left where they are.
	DecayInside bool    `json:"decay_inside"`
	Clip        float32 `json:"clip"` // limit of each gradient element; 0: none

	// Average is the decay of the moving average of parameters that the result is taken from; 0: none.
	Average float32 `json:"average"`
	// AverageWarmUp lowers that decay to (1+t)/(10+t) at update t, so that a short run does not average in its start.
	AverageWarmUp bool `json:"average_warm_up"`

	Smoothing  float32 `json:"smoothing"`  // of labels
	Distill    float32 `json:"distill"`    // share of the distance to the widest path in the loss of random paths; the task has the rest
	Distortion float32 `json:"distortion"` // weight of the distance between the norms' outputs at the lowest width and on the widest path
	// Frozen norms use the statistics that they have, and these stay: what trains is what will run, and batches may be small.
	// Norms that were not estimated for the paths that train are better off with those of their batches.
	Frozen bool `json:"frozen,omitempty"`
	// Floor keeps gammas and step sizes above this share of their start; 0: no bound.
	Floor float32 `json:"floor"`
	// Front are the policies near which random paths are drawn, the good ones over the range of budgets; nil: anywhere. It keeps
	// widths that no budget would ever choose for a layer from deciding what happens to the weights that all widths share.
	Guides []quantize.Policy `json:"front,omitempty"`
	// Tilt lets one random path per step lean to low widths, by an amount of chance, so that paths as low as budgets ask for are
	// trained; without it every candidate is equally likely. With Front it means nothing.
	Tilted bool `json:"tilt"`
	// Scheduler takes the lowest width away from the layers whose weights it makes most turbulent, for a while.
	Scheduler bool `json:"scheduler"`
	// Damping is the final weight of the distance between weights and their quantized values, squared, summed over the output
	// channels of a layer and averaged within them; 0: none.
	Dampening float32 `json:"damping"`
	// Guidance is the share of the distance to the outputs of the float model in the task loss, beside the labels.
	// Batches then bring both. Like the teacher it keeps a short training from learning the labels by heart.
	Guidance float32 `json:"guidance"`
	// Kinds of the outputs decide how distances are taken, in the order of the network; nil: by their shapes, see
	// quantize.OutputKinds.
	Kinds []quantize.OutputKind `json:"kinds,omitempty"`
	// Labelled is the output that labels belong to. All others learn from the outputs of the float model.
	Labelled int `json:"labelled,omitempty"`
	// Unlabelled trains against the outputs of the float model, which batches then bring, in place of labels.
	Unlabelled bool `json:"unlabelled"`
}

// Defaults are the settings of the paper, shortened to start from a pretrained network: rates for a batch of 64.
func Defaults() Options {
	return Options{
		Batch: 64, Steps: 1000, Paths: 3, Seed: 1,
		Rate: 0.01, FinalRate: 1e-5, WarmUp: 0.03, StepRate: 1e-3, StepRelative: true,
		Momentum: 0.9, Decay: 2.5e-5, Clip: 1,
		Average: 0.9997, AverageWarmUp: true,
		Distill: 0.5, Distortion: 0.01, Floor: 1e-3, Tilted: true, Scheduler: true, Dampening: 0.1,
	}
}

// Rate is the learning rate for a schedule that starts from a pretrained network: a short one has no time to come back
// from where a high rate takes it. Frozen norms do not hold a network together as those of batches do: at 0.01 a ResNet-20
// fell apart in 280 updates, at a quarter of that it learned.
func Rate(steps, batch int, frozen bool) float64 {
	const top, from, mostFrozen = 0.01, 5000, 0.0025
	rate := top * math.Sqrt(math.Min(1, float64(steps)/from))
	if frozen {
		rate = math.Min(rate, mostFrozen)
	}
	return rate * float64(batch) / 64
}

// StepRate is the rate of step sizes for a schedule that starts from calibrated ones. Adam moves each by about its rate in
// every update, however flat the loss: in a short schedule that is drift, and there is no time to come back from it.
func StepRate(steps int) float64 {
	const top, from = 1e-3, 5000
	return top * math.Sqrt(math.Min(1, float64(steps)/from))
}

// Validate lists everything that is wrong with the options in one error.
func (o Options) Validate() error {
	var bad []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			bad = append(bad, fmt.Errorf(format, args...))
		}
	}
	check(o.Batch >= 1, "batch %d is not positive", o.Batch)
	check(o.Steps >= 0, "%d steps are negative", o.Steps)
	check(o.Labelled >= 0, "labelled output %d is negative", o.Labelled)
	check(o.Paths >= 0 && o.Paths <= 64, "%d paths are not between 0 and 64", o.Paths)
	for _, r := range []struct {
		name  string
		value float64
	}{
		{"rate", o.Rate},
		{"final rate", o.FinalRate},
		{"step rate", o.StepRate},
		{"decay", float64(o.Decay)},
		{"clip", float64(o.Clip)},
		{"distortion", float64(o.Distortion)},
		{"damping", float64(o.Dampening)},
	} {
		check(r.value >= 0 && !math.IsInf(r.value, 0), "%s %g is not a finite number from 0", r.name, r.value)
	}
	for _, r := range []struct {
		name  string
		value float64
	}{
		{"warm-up", o.WarmUp},
		{"momentum", float64(o.Momentum)},
		{"average", float64(o.Average)},
		{"smoothing", float64(o.Smoothing)},
		{"floor", float64(o.Floor)},
		{"guidance", float64(o.Guidance)},
		{"distill", float64(o.Distill)},
	} {
		check(r.value >= 0 && r.value < 1, "%s %g is not between 0 and 1", r.name, r.value)
	}
	if err := errors.Join(bad...); err != nil {
		return fmt.Errorf("training options: %w", err)
	}
	return nil
}

// course is the height of the schedule at a step, 0 to 1: a linear rise, then half a cosine.
func (o *Options) course(step int) float64 {
	if o.Steps < 1 {
		return 1
	}
	at := (float64(step) + 0.5) / float64(o.Steps)
	if at < o.WarmUp {
		return at / o.WarmUp
	}
	return 0.5 + 0.5*math.Cos(math.Pi*(at-o.WarmUp)/(1-o.WarmUp))
}

// rates are the learning rates of SGD and Adam at a step.
func (o *Options) rates(step int) (sgd, adam float32) {
	rate := o.Rate
	if o.Steps > 0 {
		c := o.course(step)
		if float64(step)+0.5 < o.WarmUp*float64(o.Steps) {
			rate = o.Rate * c
		} else {
			final := math.Min(o.FinalRate, o.Rate)
			rate = final + (o.Rate-final)*c
		}
	}
	if o.Rate == 0 {
		return 0, float32(o.StepRate)
	}
	return float32(rate), float32(o.StepRate * rate / o.Rate)
}
