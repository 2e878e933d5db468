package integer

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Network is one policy of a supernet, ready to run. It may be used by several goroutines at once.
type Network struct {
	steps  []step
	codes  []int // elements of each slot of codes, per sample
	floats []int // elements of each slot of floats, per sample
	taps   []tap

	input         int // slot of floats
	inputShape    tensor.Shape
	outputs       []output
	uncomputed    []string // outputs of other types than float32
	sums, scratch int      // working memory of layers, in elements
	inexact       []string
	unsteady      []string
}

// step computes one slot from others.
type step func(w *worker)

// tap is a tensor whose codes Run returns.
type tap struct {
	key   string
	slot  int
	shape tensor.Shape
}

// output is a float output of the model and its slot.
type output struct {
	name string
	slot int
}

// worker is the memory that one sample at a time runs in.
type worker struct {
	codes   [][]uint8
	floats  [][]float32
	x, sum  []float32 // input and product of a layer, as floats that hold integers
	acc     []int32
	scratch []float32
	convs   map[kernel.ConvShape]*kernel.Conv // their tables, made at the first sample
	err     error                             // of an operator from outside
}

// conv is the prepared convolution of a shape.
func (w *worker) conv(s kernel.ConvShape) *kernel.Conv {
	c := w.convs[s]
	if c == nil {
		c = kernel.NewConv(s)
		w.convs[s] = c
	}
	return c
}

// Result is what a network computed for n samples.
type Result struct {
	// Codes are those of every quantized tensor by quantize.CodesKey, n*elements, as onnxruntime stores them.
	Codes map[string][]uint8
	// Logits are the first output, n*Classes.
	Logits  []float32
	Classes int
	// More are the further float outputs, in the order of Network.Outputs.
	More [][]float32
}

// samplesPerCheck is how many samples run between two looks at the context.
const samplesPerCheck = 16

// Shapes are those of Result.Codes for one sample, by key. They begin with the entries of the leading axis that a
// sample has.
func (n *Network) Shapes() map[string]tensor.Shape {
	shapes := map[string]tensor.Shape{}
	for _, t := range n.taps {
		shapes[t.key] = t.shape.Clone()
	}
	return shapes
}

// Tensors lists the keys of Result.Codes in network order.
func (n *Network) Tensors() []string {
	keys := make([]string, len(n.taps))
	for i, t := range n.taps {
		keys[i] = t.key
	}
	return keys
}

// Outputs lists the float outputs, the one of Logits first.
func (n *Network) Outputs() []string {
	names := make([]string, len(n.outputs))
	for i, o := range n.outputs {
		names[i] = o.name
	}
	return names
}

// Sizes are the elements per sample of each of Outputs.
func (n *Network) Sizes() []int {
	sizes := make([]int, len(n.outputs))
	for i, o := range n.outputs {
		sizes[i] = n.floats[o.slot]
	}
	return sizes
}

// Uncomputed lists outputs of the model that the network does not compute, since they are no float32.
func (n *Network) Uncomputed() []string { return append([]string(nil), n.uncomputed...) }

// Inexact lists the nodes that the runtime computes in float: codes that follow from them may differ by rounding. It
// is empty for a network whose operators are all quantized.
func (n *Network) Inexact() []string { return append([]string(nil), n.inexact...) }

// Unsteady lists the tensors of Tensors and the outputs that are computed behind a pole (see quantize.IsPole), with no
// codes between: beside it the least difference in rounding is not small, and on it the sign of a zero decides.
func (n *Network) Unsteady() []string { return append([]string(nil), n.unsteady...) }

// Run computes samples many samples, x holding one after the other. Without codes the result has outputs only. Results
// do not depend on the pool.
func (n *Network) Run(ctx context.Context, pool *par.Pool, x []float32, samples int, codes bool) (*Result, error) {
	in, out := n.floats[n.input], n.floats[n.outputs[0].slot]
	if samples < 0 || len(x) != samples*in {
		return nil, fmt.Errorf("run integer network: input has %d elements, not %d samples of %s", len(x), samples, n.inputShape)
	}
	r := &Result{Logits: make([]float32, samples*out), Classes: out, Codes: map[string][]uint8{}}
	if codes {
		for _, t := range n.taps {
			r.Codes[t.key] = make([]uint8, samples*n.codes[t.slot])
		}
	}
	for _, o := range n.outputs[1:] {
		r.More = append(r.More, make([]float32, samples*n.floats[o.slot]))
	}
	workers := make([]*worker, pool.Threads())
	for first := 0; first < samples; first += samplesPerCheck {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("run integer network: %w", err)
		}
		pool.RunWorker(min(samplesPerCheck, samples-first), func(id, i int) {
			if workers[id] == nil {
				workers[id] = n.worker()
			}
			w, p := workers[id], first+i
			copy(w.floats[n.input], x[p*in:(p+1)*in])
			for _, s := range n.steps {
				s(w)
			}
			copy(r.Logits[p*out:(p+1)*out], w.floats[n.outputs[0].slot])
			for k := range r.More {
				o := n.outputs[1+k]
				copy(r.More[k][p*n.floats[o.slot]:], w.floats[o.slot])
			}
			if codes {
				for _, t := range n.taps {
					copy(r.Codes[t.key][p*n.codes[t.slot]:], w.codes[t.slot])
				}
			}
		})
		for _, w := range workers {
			if w != nil && w.err != nil {
				return nil, fmt.Errorf("run integer network: %w", w.err)
			}
		}
	}
	return r, nil
}

func (n *Network) worker() *worker {
	w := &worker{codes: make([][]uint8, len(n.codes)), floats: make([][]float32, len(n.floats)), convs: map[kernel.ConvShape]*kernel.Conv{}}
	for i, size := range n.codes {
		w.codes[i] = make([]uint8, size)
	}
	for i, size := range n.floats {
		w.floats[i] = make([]float32, size)
	}
	w.x, w.sum = make([]float32, n.sums), make([]float32, n.sums)
	w.acc = make([]int32, n.sums)
	w.scratch = make([]float32, n.scratch)
	return w
}
