package optim

import "github.com/mpqc/mpqc/internal/engine"

// SGDOptions configure SGD; the zero value is plain gradient descent.
type SGDOptions struct {
	Momentum float32
	Nesterov bool
	Decay    map[engine.ParamKind]float32 // weight decay by kind of parameter; none where absent
}

// SGD is torch.optim.SGD with dampening 0:
//
//	g = grad + decay*p;  m = momentum*m + g;  p -= lr * (g + momentum*m if nesterov else m)
type SGD struct {
	opts   SGDOptions
	params []*engine.Param
	moment []Array
}

// NewSGD makes an optimizer for params, whose names must differ.
func NewSGD(params []*engine.Param, o SGDOptions) (*SGD, error) {
	if err := unique("SGD", params); err != nil {
		return nil, err
	}
	return &SGD{opts: o, params: params, moment: zeros("sgd.momentum.", params)}, nil
}

// Step updates every used parameter at learning rate lr.
func (s *SGD) Step(lr float32) {
	for i, p := range s.params {
		if !p.Used {
			continue
		}
		decay, mu := s.opts.Decay[p.Kind], s.opts.Momentum
		grad, m := p.Grad[:len(p.Data)], s.moment[i].Data[:len(p.Data)]
		if s.opts.Nesterov {
			for j, v := range p.Data {
				g := grad[j] + decay*v
				m[j] = mu*m[j] + g
				p.Data[j] = v - lr*(g+mu*m[j])
			}
			continue
		}
		for j, v := range p.Data {
			m[j] = mu*m[j] + grad[j] + decay*v
			p.Data[j] = v - lr*m[j]
		}
	}
}

// State is the momentum of every parameter, named sgd.momentum.<parameter>.
func (s *SGD) State() []Array { return s.moment }

// Load restores State from a checkpoint, which may hold other arrays too.
func (s *SGD) Load(from []Array) error { return load("SGD", s.moment, from) }
