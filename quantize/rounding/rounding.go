package rounding

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// Options of Codes.
type Options struct {
	Batch int // largest batch that the source yields
	// Trained says that the weights were trained: then they are what the widest path rounds them to. Else they are themselves, as far as its
	// codes reach.
	Trained bool
	Pool    *par.Pool // nil: the calling goroutine. Results do not depend on it
	// MaxBytes is the most that the buffers of the network may take, more is an error; 0: the memory of the machine. On top of it come moments,
	// 42 MB for each 2,304 weights of an output channel in all layers, and 32 MB per thread of what they are taken apart to.
	MaxBytes int64
	// Seen is told after every batch how many pictures were seen, Rounded how many layers have codes, after each and before
	// the first, one call at a time; nil: nobody is.
	Seen    func(pictures int)
	Rounded func(layers, of int)
}

// Codes chooses codes for the weights of all layers at every width below 8 bits so that the layers' outputs on the pictures of the source
// change little: weights are rounded one after the other, at step sizes near those that the network has, and then refined. The widest path
// says what the layers read. The result has arrays of a supernet: codes, named by quantize.CodeName, each of the shape of its layer's
// weights, and beside them step sizes, one per output channel, by WeightStepName. At eight bits hardly anything is lost, so these stay the
// nearest; in place of those that could saturate others are chosen, named by LimitedName: see quantize.LimitPairs.
func Codes(ctx context.Context, net *fakequant.Network, source train.Batches, o Options) (*quantize.Supernet, error) {
	layers, err := observed(ctx, net, source, o)
	if err != nil {
		return nil, fmt.Errorf("round weights: %w", err)
	}
	codes := make([]map[string]quantize.Array, len(layers))
	errs := make([]error, len(layers))
	for i, l := range layers {
		errs[i] = l.check()
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("round weights: %w", err)
	}
	rounded := counter{tell: o.Rounded, of: len(layers)}
	rounded.add(0)
	o.Pool.Run(len(layers), func(i int) {
		if codes[i], errs[i] = layers[i].codes(ctx); errs[i] == nil {
			rounded.add(1)
		}
	})
	if err := ctx.Err(); err != nil { // nothing else goes wrong
		return nil, err
	}
	s := &quantize.Supernet{Arrays: map[string]quantize.Array{}}
	for _, list := range codes {
		maps.Copy(s.Arrays, list)
	}
	return s, nil
}

// counter tells how much is done, one call at a time.
type counter struct {
	tell     func(done, of int)
	of, done int
	lock     sync.Mutex
}

func (c *counter) add(n int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.done += n; c.tell != nil {
		c.tell(c.done, c.of)
	}
}

// observed runs the widest path over the source, and gathers what each layer reads.
func observed(ctx context.Context, net *fakequant.Network, source train.Batches, o Options) ([]*observation, error) {
	layers, values := make([]*observation, len(net.Plan.Layers)), make([]*engine.Value, len(net.Plan.Layers))
	for i := range layers {
		layers[i], values[i] = observe(net, i, o.Trained)
	}
	sim, err := train.NewWatched(net, engine.Options{Batch: o.Batch, Pool: o.Pool, Keep: values, MaxBytes: o.MaxBytes})
	if err != nil {
		return nil, err
	}
	widest, seen := net.Plan.Max(), 0
	err = source(ctx, func(x []float32, n int) error {
		if _, err := sim.Outputs(ctx, widest, x, n); err != nil {
			return err
		}
		errs := make([]error, len(layers))
		o.Pool.Run(len(layers), func(i int) { errs[i] = layers[i].add(sim.Value(values[i]), n) })
		seen += n
		if o.Seen != nil {
			o.Seen(seen)
		}
		return errors.Join(errs...)
	})
	if err == nil && seen == 0 {
		err = errors.New("no pictures")
	}
	return layers, err
}
