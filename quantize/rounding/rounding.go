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
	// Trained says that the weights come from training. The target of rounding is then what the widest policy rounds
	// them to. Otherwise the target is the weights themselves, clipped to the range of the widest codes.
	Trained bool
	Pool    *par.Pool // nil: the calling goroutine. Results do not depend on it
	// MaxBytes is the most memory that the buffers of the network may take; more is an error. 0 means the memory of the
	// machine. Not counted are the moments, 42 MB for every 2,304 weights of an output channel in all layers, and their
	// factors, 32 MB per thread.
	MaxBytes int64
	// Seen is called after every batch with the number of samples so far. It may be nil.
	Seen func(samples int)
	// Rounded is called before the first layer and after each one with the number of layers that have codes. Calls do
	// not overlap. It may be nil.
	Rounded func(layers, of int)
}

// Codes rounds the weights of all layers at every bit-width such that the outputs of the layers change little.
//
// The source yields the samples; the widest policy computes what each layer reads from them. Codes below 8 bits are
// compensated and refined, at step sizes near those of the network. At 8 bits rounding to nearest loses hardly
// anything, so these codes stay. The exception are pairs of 8-bit codes that could saturate: see quantize.LimitPairs.
//
// The result holds arrays of a supernet. Codes are named by quantize.CodeName (or LimitedName) and have the shape of
// the layer's weights. Step sizes, one per output channel, are named by WeightStepName (or LimitedStepName).
//
// It is an error if the source yields nothing or fails, if the network does not fit MaxBytes, or if a layer reads
// values that are not finite.
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

// counter reports how many layers are done, one call at a time.
type counter struct {
	tell     func(done, of int)
	of, done int
	lock     sync.Mutex
}

// add counts n more layers and reports the sum.
func (c *counter) add(n int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.done += n; c.tell != nil {
		c.tell(c.done, c.of)
	}
}

// observed runs the widest policy over the source and gathers the moments of what each layer reads.
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
		err = errors.New("no samples")
	}
	return layers, err
}
