package optim

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/par"
)

// EMA keeps an exponential moving average of parameters: avg = decay*avg + (1-decay)*p after each step.
type EMA struct {
	decay  float32
	params []*engine.Param
	avg    []Array
	blocks *blocks
}

// NewEMA starts the averages at the present values. pool may be nil.
func NewEMA(params []*engine.Param, decay float32, pool *par.Pool) (*EMA, error) {
	if err := unique("moving average", params); err != nil {
		return nil, err
	}
	e := &EMA{decay: decay, params: params, avg: zeros("ema.", params)}
	for i, p := range params {
		copy(e.avg[i].Data, p.Data)
	}
	e.blocks = newBlocks(pool, params, e.block)
	return e, nil
}

// SetDecay changes the decay of the following updates. Short runs need a lower one at their start.
func (e *EMA) SetDecay(decay float32) { e.decay = decay }

// Update moves the averages toward the parameters, used or not.
func (e *EMA) Update() { e.blocks.each() }

// block updates one part.
func (e *EMA) block(k, lo, hi int) {
	kernel.Approach(1-e.decay, e.params[k].Data[lo:hi], e.avg[k].Data[lo:hi])
}

// Swap exchanges the elements of parameters and averages: once to evaluate the averages, once more to train on.
func (e *EMA) Swap() {
	for i, p := range e.params {
		avg := e.avg[i].Data
		for j, v := range p.Data {
			p.Data[j], avg[j] = avg[j], v
		}
	}
}

// State is the averages, named ema.<parameter>.
func (e *EMA) State() []Array { return e.avg }

// Load restores State from a checkpoint, which may hold other arrays too.
func (e *EMA) Load(from []Array) error { return load("moving average", e.avg, from) }
