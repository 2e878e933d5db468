package optim

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/par"
)

// SGDOptions configure SGD; the zero value is plain gradient descent.
type SGDOptions struct {
	Momentum float32
	Nesterov bool
	Decay    map[engine.ParamKind]float32 // weight decay by kind of parameter; none where absent
	Pool     *par.Pool                    // nil: the calling goroutine
}

// SGD is torch.optim.SGD with dampening 0:
//
//	g = grad + decay*p;  m = momentum*m + g;  p -= lr * (g + momentum*m if nesterov else m)
type SGD struct {
	opts   SGDOptions
	params []*engine.Param
	moment []Array
	rate   float32 // of the step in progress
	blocks *blocks
}

// NewSGD returns an optimizer for params. It is an error if two of them share a name.
func NewSGD(params []*engine.Param, o SGDOptions) (*SGD, error) {
	if err := unique("SGD", params); err != nil {
		return nil, err
	}
	s := &SGD{opts: o, params: params, moment: zeros("sgd.momentum.", params)}
	s.blocks = newBlocks(o.Pool, params, s.block)
	return s, nil
}

// Step updates every used parameter at learning rate lr.
func (s *SGD) Step(lr float32) {
	s.rate = lr
	s.blocks.each()
}

// block updates one part.
func (s *SGD) block(k, lo, hi int) {
	p := s.params[k]
	if !p.Used {
		return
	}
	decay, mu, lr := s.opts.Decay[p.Kind], s.opts.Momentum, s.rate
	x, grad, m := p.Data[lo:hi], p.Grad[lo:hi], s.moment[k].Data[lo:hi]
	switch {
	case s.opts.Nesterov && decay == 0:
		kernel.Nesterov(lr, mu, grad, m, x)
	case s.opts.Nesterov:
		for j, v := range x {
			g := grad[j] + decay*v
			m[j] = mu*m[j] + g
			x[j] = v - lr*(g+mu*m[j])
		}
	default:
		for j, v := range x {
			m[j] = mu*m[j] + grad[j] + decay*v
			x[j] = v - lr*m[j]
		}
	}
}

// State is the momentum of every parameter, named sgd.momentum.<parameter>.
func (s *SGD) State() []Array { return s.moment }

// Load restores State from a checkpoint, which may hold other arrays too.
func (s *SGD) Load(from []Array) error { return load("SGD", s.moment, from) }
