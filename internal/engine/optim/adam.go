package optim

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// AdamOptions configure Adam. Zero fields take PyTorch's defaults.
type AdamOptions struct {
	Beta1, Beta2 float64 // 0.9, 0.999
	EPS          float64 // 1e-8
	Decay        map[engine.ParamKind]float32
	// Relative multiplies the learning rate of each element by its present value. It is for positive numbers of very
	// different magnitude.
	Relative bool
}

// Adam is torch.optim.Adam (L2 decay, no amsgrad). Each parameter counts its own steps:
//
//	g = grad + decay*p;  m = b1*m + (1-b1)*g;  v = b2*v + (1-b2)*g^2
//	p -= lr/(1-b1^t) * m / (sqrt(v)/sqrt(1-b2^t) + eps)
type Adam struct {
	opts          AdamOptions
	params        []*engine.Param
	first, second []Array
	steps         []Array // one element each
}

// NewAdam returns an optimizer for params. It is an error if two of them share a name.
func NewAdam(params []*engine.Param, o AdamOptions) (*Adam, error) {
	if err := unique("Adam", params); err != nil {
		return nil, err
	}
	if o.Beta1 == 0 {
		o.Beta1 = 0.9
	}
	if o.Beta2 == 0 {
		o.Beta2 = 0.999
	}
	if o.EPS == 0 {
		o.EPS = 1e-8
	}
	a := &Adam{opts: o, params: params, first: zeros("adam.m.", params), second: zeros("adam.v.", params)}
	for _, p := range params {
		a.steps = append(a.steps, Array{Name: "adam.step." + p.Name, Shape: tensor.Shape{1}, Data: make([]float32, 1)})
	}
	return a, nil
}

// Step updates every used parameter at learning rate lr.
func (a *Adam) Step(lr float32) {
	// 1-Beta2 is taken in double precision: in single, the 0.001 of the default would be off by 1e-5, and so would v.
	in1, b2, in2 := float32(1-a.opts.Beta1), float32(a.opts.Beta2), float32(1-a.opts.Beta2)
	for i, p := range a.params {
		if !p.Used {
			continue
		}
		a.steps[i].Data[0]++ // exact up to 2^24 steps
		t := float64(a.steps[i].Data[0])
		rate := float32(float64(lr) / (1 - math.Pow(a.opts.Beta1, t)))
		root := math.Sqrt(1 - math.Pow(a.opts.Beta2, t))
		decay, m, v := a.opts.Decay[p.Kind], a.first[i].Data, a.second[i].Data
		for j, x := range p.Data {
			g := p.Grad[j] + decay*x
			m[j] += in1 * (g - m[j])
			v[j] = b2*v[j] + in2*g*g
			step := rate
			if a.opts.Relative {
				step *= x
			}
			p.Data[j] = x - step*m[j]/float32(math.Sqrt(float64(v[j]))/root+a.opts.EPS)
		}
	}
}

// State returns adam.m.<parameter>, adam.v.<parameter> and adam.step.<parameter>, which alias the state.
func (a *Adam) State() []Array {
	list := append([]Array(nil), a.first...)
	return append(append(list, a.second...), a.steps...)
}

// Load restores State from a checkpoint, which may hold other arrays, too. It is an error if an array is missing or
// does not fit.
func (a *Adam) Load(from []Array) error { return load("Adam", a.State(), from) }
