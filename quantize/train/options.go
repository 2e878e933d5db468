package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// Options of training. Defaults returns usable ones. The zero value of a field means what its comment says, not a
// default.
type Options struct {
	Batch int    `json:"batch"` // largest batch
	Steps int    `json:"steps"` // updates of the whole schedule
	Paths int    `json:"paths"` // random policies per step besides the widest one; 0: none
	Seed  uint64 `json:"seed"`  // of the random policies

	// Rate is the learning rate of SGD (weights, biases, norms). It rises linearly over the share WarmUp of the
	// schedule and falls to FinalRate along a cosine. The rate of Adam (step sizes) takes the same course, with
	// StepRate at the top.
	Rate      float64 `json:"rate"`
	FinalRate float64 `json:"final_rate"`
	WarmUp    float64 `json:"warm_up"`
	StepRate  float64 `json:"step_rate"`
	// StepRelative multiplies StepRate by each step size. Step sizes at 8 bits are a hundredth of those at 2 bits.
	StepRelative bool `json:"step_relative"`

	Momentum float32 `json:"momentum"` // of Nesterov
	Decay    float32 `json:"decay"`    // of the weights of layers
	// DecayInside applies weight decay within the clipping range of the 2-bit codes, too. Without it, weights that
	// 2-bit codes can tell apart do not decay, as in RFQuant.
	DecayInside bool    `json:"decay_inside"`
	Clip        float32 `json:"clip"` // limit of each gradient element; 0: none

	// Average is the decay of the moving average of parameters, which is the result of training; 0: no average.
	Average float32 `json:"average"`
	// AverageWarmUp lowers the decay to (1+t)/(10+t) at update t. The average of a short run then forgets its start.
	AverageWarmUp bool `json:"average_warm_up"`

	Smoothing float32 `json:"smoothing"` // of labels
	// Distill is the weight of the distance to the widest policy in the loss of random policies. The task has the
	// weight 1-Distill.
	Distill float32 `json:"distill"`
	// Distortion is the weight of information distortion mitigation (RFQuant): the squared distance between the
	// BatchNorm outputs of layers at their lowest width and those of the widest policy.
	Distortion float32 `json:"distortion"`
	// Frozen normalises by the running statistics, which stay as they are. What trains is then what will run, and
	// batches may be small. Use it only if the statistics were estimated for the policies that are trained.
	Frozen bool `json:"frozen,omitempty"`
	// Floor keeps gammas and step sizes above this share of their initial values; 0: no bound.
	Floor float32 `json:"floor"`
	// Guides are policies that random policies are drawn near, as a rule a Pareto front from narrow to wide. nil:
	// random policies are drawn anywhere. Without guides, widths that no budget would choose for a layer influence the
	// shared weights.
	Guides []quantize.Policy `json:"front,omitempty"`
	// Tilted draws one random policy per step with a random preference for low widths. Low budgets are then trained,
	// too. Without it all candidates are equally likely. It has no effect with Guides.
	Tilted bool `json:"tilt"`
	// Scheduler enables the bit-width scheduler of RFQuant. It temporarily removes the lowest width from the most
	// turbulent layers.
	Scheduler bool `json:"scheduler"`
	// Dampening is the final weight of oscillation dampening, see Trainer.dampen; 0: none.
	Dampening float32 `json:"damping"`
	// Guidance is the share of the distance to the outputs of the float model in the task loss, beside the labels.
	// Batches must then hold both. It keeps a short training from overfitting the labels.
	Guidance float32 `json:"guidance"`
	// Kinds of the outputs, in the order of the network, select the loss of each. nil: they follow from the shapes, see
	// quantize.OutputKinds.
	Kinds []quantize.OutputKind `json:"kinds,omitempty"`
	// Labelled is the index of the output that labels belong to. All others learn from the outputs of the float model.
	Labelled int `json:"labelled,omitempty"`
	// Unlabelled trains against the outputs of the float model in place of labels. Batches must then hold these.
	Unlabelled bool `json:"unlabelled"`
}

// Defaults returns the settings of RFQuant (arXiv 2401.01543), shortened for a pretrained network and a batch of 64.
func Defaults() Options {
	return Options{
		Batch: 64, Steps: 1000, Paths: 3, Seed: 1,
		Rate: 0.01, FinalRate: 1e-5, WarmUp: 0.03, StepRate: 1e-3, StepRelative: true,
		Momentum: 0.9, Decay: 2.5e-5, Clip: 1,
		Average: 0.9997, AverageWarmUp: true,
		Distill: 0.5, Distortion: 0.01, Floor: 1e-3, Tilted: true, Scheduler: true, Dampening: 0.1,
	}
}

// Rate returns the learning rate for a schedule from a pretrained network. A short schedule has no time to recover from
// a high rate. Frozen norms need a lower one: a ResNet-20 with frozen norms diverged within 280 updates at 0.01, but
// learned at a quarter of it.
func Rate(steps, batch int, frozen bool) float64 {
	const top, from, mostFrozen = 0.01, 5000, 0.0025
	rate := top * math.Sqrt(math.Min(1, float64(steps)/from))
	if frozen {
		rate = math.Min(rate, mostFrozen)
	}
	return rate * float64(batch) / 64
}

// StepRate returns the rate of step sizes for a schedule from calibrated ones. Adam moves each step size by about its
// rate in every update, even where the loss is flat. A short schedule has no time to recover from that drift.
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

// course is the relative height of the schedule at a step, in [0, 1]: a linear rise, then half a cosine.
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
