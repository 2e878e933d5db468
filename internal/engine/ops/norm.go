package ops

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Norm is BatchNormalization of x [N C ...]: y = Gamma*(x-mean)/sqrt(var+EPS) + Beta per channel. In training mean and
// (biased) variance are those of the batch, and the running ones follow with the unbiased variance, as in PyTorch:
//
//	running = Momentum*running + (1-Momentum)*batch        (ONNX's momentum: 0.9 is PyTorch's 0.1)
//
// otherwise they are the running ones, which the gradient then treats as constants.
type Norm struct {
	Gamma, Beta *engine.Param
	Mean, Var   []float32
	EPS         float32
	Momentum    float32
}

// Type is "BatchNormalization".
func (*Norm) Type() string { return "BatchNormalization" }

// Absorb takes gamma, beta, mean and variance, inputs 1 to 4, which must be constant.
func (o *Norm) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	if len(in) != 5 {
		return nil, fmt.Errorf("BatchNormalization has %d inputs, 5 wanted", len(in))
	}
	var data [5][]float32
	for i, v := range in[1:] {
		switch {
		case v == nil:
			return nil, fmt.Errorf("input %d of BatchNormalization is missing", i+1)
		case v.Param != nil:
			data[i+1] = v.Param.Data
		case v.Const != nil:
			data[i+1] = v.Const
		default:
			return nil, fmt.Errorf("input %d of BatchNormalization (%q) is not constant", i+1, v.Name)
		}
		if len(data[i+1]) != len(data[1]) {
			return nil, fmt.Errorf("inputs of BatchNormalization differ in length: %d and %d", len(data[1]), len(data[i+1]))
		}
	}
	param := func(v *engine.Value, data []float32) *engine.Param {
		return engine.NewParam(v.Name, engine.Scale, tensor.Shape{len(data)}, append([]float32(nil), data...))
	}
	o.Gamma, o.Beta = param(in[1], data[1]), param(in[2], data[2])
	o.Mean, o.Var = append([]float32(nil), data[3]...), append([]float32(nil), data[4]...)
	return in[:1], nil
}

// Params are gamma and beta.
func (o *Norm) Params() []*engine.Param { return []*engine.Param{o.Gamma, o.Beta} }

// Infer gives the output the shape of the input.
func (o *Norm) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	if o.Gamma == nil || o.Beta == nil {
		return nil, fmt.Errorf("gamma and beta are missing")
	}
	if c := len(o.Gamma.Data); len(in[0]) < 2 || in[0][1] != c || len(o.Beta.Data) != c || len(o.Mean) != c || len(o.Var) != c {
		return nil, fmt.Errorf("%d channels do not fit input %s", c, in[0])
	}
	return []tensor.Shape{in[0].Clone()}, nil
}

// SavedBytes holds mean and 1/sqrt(var+EPS) per channel.
func (o *Norm) SavedBytes(in, _ []tensor.Shape) int { return 8 * in[0][1] }

// ScratchFloats is two numbers per channel.
func (o *Norm) ScratchFloats(in, _ []tensor.Shape, _ int) int { return 2 * in[0][1] }

// planes gives N, C and the elements of a plane.
func planes(s tensor.Shape) (n, c, hw int) { return s[0], s[1], s[2:].Numel() }

// Forward computes y and, in training, moves the running statistics.
func (o *Norm) Forward(t *engine.Task) {
	n, c, hw := planes(t.In[0].Shape)
	saved := t.SavedFloats()
	mean, inv := saved[:c], saved[c:2*c]
	if t.Training {
		kernel.NormStats(t.Pool, t.In[0].Data, n, c, hw, mean, inv)
		o.follow(mean, inv, n*hw)
	} else {
		copy(mean, o.Mean)
		copy(inv, o.Var)
	}
	scale, shift := t.Scratch[:c], t.Scratch[c:2*c]
	for i, v := range inv {
		inv[i] = float32(1 / math.Sqrt(float64(v)+float64(o.EPS)))
		scale[i] = o.Gamma.Data[i] * inv[i]
		shift[i] = o.Beta.Data[i] - float32(mean[i]*scale[i])
	}
	kernel.NormApply(t.Pool, t.In[0].Data, n, c, hw, scale, shift, t.Out[0].Data)
}

// follow moves the running statistics toward those of a batch with count elements per channel.
func (o *Norm) follow(mean, variance []float32, count int) {
	keep, unbias := o.Momentum, float32(1)
	if count > 1 {
		unbias = float32(count) / float32(count-1)
	}
	for i := range mean {
		o.Mean[i] = float32(keep*o.Mean[i]) + float32((1-keep)*mean[i])
		o.Var[i] = float32(keep*o.Var[i]) + float32((1-keep)*variance[i]*unbias)
	}
}

// Retain keeps x.
func (*Norm) Retain() engine.Retain { return engine.Retain{In: []int{0}} }

// Backward computes dx and adds the gradients of gamma and beta.
func (o *Norm) Backward(t *engine.Task) {
	n, c, hw := planes(t.In[0].Shape)
	saved := t.SavedFloats()
	dgamma, dbeta := t.Scratch[:c], t.Scratch[c:2*c]
	kernel.NormBackward(t.Pool, t.In[0].Data, t.GradOut[0].Data, n, c, hw, saved[:c], saved[c:2*c], o.Gamma.Data, !t.Training,
		dgamma, dbeta, t.GradIn[0].Data)
	kernel.Axpy(1, dgamma, o.Gamma.Grad)
	kernel.Axpy(1, dbeta, o.Beta.Grad)
	o.Gamma.Used, o.Beta.Used = true, true
}

func buildNorm(a Attributes) (engine.Op, error) {
	if a.Int("training_mode", 0) != 0 {
		return nil, fmt.Errorf("training_mode 1 is not supported")
	}
	return &Norm{EPS: a.Float("epsilon", 1e-5), Momentum: a.Float("momentum", 0.9)}, nil
}
