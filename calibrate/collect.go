package calibrate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// Source calls yield with one batch after another: n samples x, [n, ...] as the model's input, at most Options.Batch.
type Source func(ctx context.Context, yield func(x []float32, n int) error) error

// Options of Collect.
type Options struct {
	Batch int       // largest batch that the source yields
	Pool  *par.Pool // nil: the calling goroutine
	// MaxBytes is the most memory that the buffers of the model may take; more is an error. 0 means the memory of the
	// machine.
	MaxBytes int64
}

// Statistics of the tensors of one model on the calibration samples.
type Statistics struct {
	Samples  int                   // number of samples
	Points   map[string]*Histogram // by Point.Tensor
	Channels map[string]*Channels  // by Layer.Output, for Convs without a norm
}

// Channels holds sums per channel of a tensor [N, C, ...].
type Channels struct {
	N          int64 // elements per channel
	Sum, SumSq []float64
}

// Collect runs the float model over all batches. It gathers a histogram for each point of the plan and, for every Conv
// without a BatchNorm, the moments of its output.
//
// It is an *OverflowError if the model computes numbers that are not finite or that no range can hold. It is also an
// error if the source yields nothing or if the buffers exceed MaxBytes.
func Collect(ctx context.Context, m *onnx.Model, plan *quantize.Plan, source Source, o Options) (*Statistics, error) {
	g, err := par.Await(ctx, func() (*engine.Graph, error) { return decode.Decode(m) })
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	st := &Statistics{Points: map[string]*Histogram{}, Channels: map[string]*Channels{}}
	for _, p := range plan.Points {
		st.Points[p.Tensor] = &Histogram{}
	}
	for _, l := range plan.Layers {
		if wantsNorm(l) {
			st.Channels[l.Output] = &Channels{Sum: make([]float64, l.OutChannels), SumSq: make([]float64, l.OutChannels)}
		}
	}
	values, err := watched(g, st)
	if err != nil {
		return nil, err
	}
	exec, err := par.Await(ctx, func() (*engine.Exec, error) {
		return engine.Compile(g, engine.Options{Batch: o.Batch, Pool: o.Pool, Keep: values, MaxBytes: o.MaxBytes})
	})
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	err = source(ctx, func(x []float32, n int) error {
		if err := exec.SetBatch(n); err != nil {
			return err
		}
		copy(exec.Input(0).Data, x)
		if err := exec.Forward(ctx); err != nil {
			return err
		}
		st.Samples += n
		if st.add(exec, values, n, o.Pool) && finiteOutputs(exec, g) {
			return nil
		}
		return overflow(ctx, g, st, x, n, o.Pool)
	})
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	if st.Samples == 0 {
		return nil, fmt.Errorf("calibrate: no samples")
	}
	return st, nil
}

// watched lists the values that statistics are gathered of, in graph order.
func watched(g *engine.Graph, st *Statistics) ([]*engine.Value, error) {
	var out []*engine.Value
	found := map[string]bool{}
	for _, v := range g.Values {
		if (st.Points[v.Name] != nil || st.Channels[v.Name] != nil) && !found[v.Name] {
			found[v.Name] = true
			out = append(out, v)
		}
	}
	for _, name := range slices.Concat(keys(st.Points), keys(st.Channels)) {
		if !found[name] {
			return nil, fmt.Errorf("calibrate: the engine's graph has no value %q", name)
		}
	}
	return out, nil
}

// add adds the last run, a batch of n samples, and reports whether all numbers can be used. Each value is one task, so
// the order of sums does not depend on the number of threads.
func (st *Statistics) add(exec *engine.Exec, values []*engine.Value, n int, pool *par.Pool) bool {
	good := make([]bool, len(values))
	pool.Run(len(values), func(i int) {
		buf := exec.Value(values[i])
		if good[i] = finite(buf.Data); !good[i] {
			return
		}
		if h := st.Points[values[i].Name]; h != nil {
			h.Add(buf.Data)
		}
		if c := st.Channels[values[i].Name]; c != nil {
			c.add(buf.Data, n)
			good[i] = c.usable()
		}
	})
	return !slices.Contains(good, false)
}

// add adds a batch of n samples x [n, C, ...].
func (c *Channels) add(x []float32, n int) {
	inner := len(x) / (n * len(c.Sum))
	for i := range n * len(c.Sum) {
		var sum, square float64
		for _, v := range x[i*inner : (i+1)*inner] {
			sum += float64(v)
			square += float64(v) * float64(v)
		}
		ch := i % len(c.Sum)
		c.Sum[ch] += sum
		c.SumSq[ch] += square
	}
	c.N += int64(n * inner)
}

// usable reports whether the variances fit in float32.
func (c *Channels) usable() bool {
	_, variance := c.Moments()
	return slices.Max(variance) <= math.MaxFloat32
}

// Moments returns mean and biased variance, each [C].
func (c *Channels) Moments() (mean, variance []float64) {
	mean, variance = make([]float64, len(c.Sum)), make([]float64, len(c.Sum))
	for i := range mean {
		mean[i] = c.Sum[i] / float64(c.N)
		variance[i] = math.Max(c.SumSq[i]/float64(c.N)-mean[i]*mean[i], 0)
	}
	return mean, variance
}

// keys returns the sorted keys of a map.
func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
