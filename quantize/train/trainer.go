package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/optim"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// Source provides the batch of a step. The batch must be a function of the step only, so that training can resume. It
// stays valid until the next call.
type Source interface {
	Batch(ctx context.Context, step int) (Batch, error)
}

// Trainer trains a network. It belongs to one goroutine.
type Trainer struct {
	net    *fakequant.Network
	opts   Options
	pool   *par.Pool
	exec   *engine.Exec
	params []*engine.Param
	clip   *optim.Clip
	sgd    *optim.SGD
	adam   *optim.Adam
	ema    *optim.EMA // nil: none
	floors fakequant.Floors
	widths [][]int // current weight candidates per layer
	step   int     // updates done

	kinds   []quantize.OutputKind // per output
	heads   []head                // layers that compute outputs of kind values
	teacher [][]float32           // outputs of the widest policy for this batch
	before  fakequant.Statistics
	events  []float64 // of the scheduler
	history History
	rows    rows
	low     []int // results of lowest and compared
	all     []int
	probe   probe
	watch   stopwatch
}

// probe lets tests see what happens within a step.
type probe struct {
	path      func(k int, outputs []float32)
	gradients func()
}

// New prepares training of a network from its present state. It is an error if the options are invalid, if the network
// has other than one input, if it holds chosen codes, or if the buffers do not fit the memory.
func New(net *fakequant.Network, o Options, pool *par.Pool) (*Trainer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if len(net.Graph.Inputs) != 1 || len(net.Graph.Outputs) == 0 {
		return nil, fmt.Errorf("train: the network has %d inputs and %d outputs; one input and at least one output are supported",
			len(net.Graph.Inputs), len(net.Graph.Outputs))
	}
	if o.Kinds != nil && len(o.Kinds) != len(net.Graph.Outputs) {
		return nil, fmt.Errorf("train: kinds of %d outputs, the network has %d", len(o.Kinds), len(net.Graph.Outputs))
	}
	if net.HasCodes() {
		return nil, fmt.Errorf("train: the network holds chosen codes of weights, which training would not change: train what they were chosen for")
	}
	for _, q := range o.Guides {
		if err := net.Plan.Validate(q); err != nil {
			return nil, fmt.Errorf("train: front: %w", err)
		}
	}
	exec, err := engine.Compile(net.Graph, engine.Options{Batch: o.Batch, Training: true, Pool: pool})
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	exec.SetTraining(!o.Frozen)
	t := &Trainer{events: events(), net: net, opts: o, pool: pool, exec: exec, params: net.Params()}
	if err := t.outputKinds(); err != nil {
		return nil, err
	}
	t.findHeads()
	var names []string
	for i := range net.Plan.Layers {
		t.widths = append(t.widths, slices.Clone(net.Plan.Layers[i].Candidates))
		names = append(names, net.Plan.Layers[i].Node)
	}
	t.history = newHistory(names, o.Steps)
	if o.Floor > 0 {
		t.floors = net.Floors(o.Floor)
	}
	t.low, t.all = []int{}, []int{} // a nil list would mean all layers
	t.rows.init()
	return t, t.optimizers()
}

// optimizers creates the optimizers: Adam for step sizes, SGD for all other parameters.
func (t *Trainer) optimizers() error {
	var steps, rest []*engine.Param
	for _, p := range t.params {
		if p.Kind == engine.StepSize {
			steps = append(steps, p)
		} else {
			rest = append(rest, p)
		}
	}
	t.clip = optim.NewClip(t.params, t.opts.Clip, t.pool)
	var errs [3]error
	t.sgd, errs[0] = optim.NewSGD(rest, optim.SGDOptions{Momentum: t.opts.Momentum, Nesterov: true, Pool: t.pool})
	t.adam, errs[1] = optim.NewAdam(steps, optim.AdamOptions{Relative: t.opts.StepRelative})
	if t.opts.Average > 0 {
		t.ema, errs[2] = optim.NewEMA(t.params, t.opts.Average, t.pool)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// Done is the number of updates done.
func (t *Trainer) Done() int { return t.step }

// Candidates returns, per layer, the weight widths that the policies of the next step draw from.
func (t *Trainer) Candidates() [][]int { return clone(t.widths) }

// Supernet copies the result so far: the moving averages if there are any, else the parameters.
func (t *Trainer) Supernet() *quantize.Supernet {
	if t.ema != nil {
		t.ema.Swap()
		defer t.ema.Swap()
	}
	return t.net.Supernet()
}
