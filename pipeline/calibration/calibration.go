// Package calibration is the stage before training: statistics of the float model on training samples, BatchNorms
// behind convolutions that have none, an order and scales of channels that quantize well, and the supernet to start
// from.
package calibration

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

const (
	calibrationFile = "calibration.json"
	calibratedFile  = "calibrated.onnx"
)

// Batch is the number of samples that calibration takes at a time.
const Batch = 64

// Calibrated is what calibration leaves.
type Calibrated struct {
	Network *network.Network
	Model   *onnx.Model        // the core with a BatchNorm behind every quantized Conv
	Plan    *quantize.Plan     // of Model
	Start   *quantize.Supernet // that training begins with
	Stamp   string
}

// Key is what decides the result of calibration on a network and samples with stamps. outputs are those of the core:
// what is excluded decides where a model is cut.
func Key(network, samples string, outputs []string, o options.CalibrationOptions, w options.WidthOptions, seed uint64) stage.Key {
	return stage.Key{Version: calibrate.Version, Options: []any{o, w}, Inputs: []any{network, samples, outputs, seed}}
}

// Run is the calibration stage. What a trained supernet that stays was trained from is taken as it is, whatever the
// options.
func Run(ctx context.Context, e *stage.Env, net *network.Network, p *samples.Samples, o options.CalibrationOptions, norms options.NormOptions) (*Calibrated, error) {
	ranges, err := calibrate.ParseRanges(o.Ranges)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", options.ErrUsage, err)
	}
	stamp, err := Key(net.Stamp, p.Stamp, onnx.Names(net.Core.Graph.Outputs()), o, net.Widths, e.Seed).Stamp()
	if err != nil {
		return nil, err
	}
	w := e.Workspace
	if w.Has(calibratedFile) && w.Has(stage.StartFile) && (e.Keep || w.Finished(event.StageCalibrate, stamp, stage.StartFile)) {
		c, err := Open(e, net)
		if again, stop := e.Anew(err, event.StageCalibrate); stop != nil || !again {
			return c, stop
		}
	}
	if e.Keep { // it was trained from these
		w.Fix(calibratedFile, calibratedFile+onnx.DataSuffix, stage.StartFile)
	}
	n := min(o.CalibrateSamples, p.Train.Len())
	rep := e.Start(event.StageCalibrate, "", fmt.Sprintf("%d samples", n))
	c, st, err := calibrated(ctx, e, net, ranges, source(e, p, n, rep), Options(e, min(Batch, n)), rep)
	if err != nil {
		return nil, err
	}
	c.Stamp = stamp
	if err := c.checkPoles(ctx, e, p, n, norms.NormSamples); err != nil {
		return nil, err
	}
	if err := c.save(e, st); err != nil {
		return nil, e.Refuse(err)
	}
	e.Seconds.Calibrate = rep.Done("")
	return c, w.End(event.StageCalibrate, stamp, e.Seconds.Calibrate, "")
}

// Options are those of passes over so many samples at a time.
func Options(e *stage.Env, batch int) calibrate.Options {
	return calibrate.Options{Batch: batch, Pool: e.Pool, MaxBytes: e.Machine.MaxMemory}
}

// source are n training samples.
func source(e *stage.Env, p *samples.Samples, n int, rep *event.Reporter) calibrate.Source {
	return func(ctx context.Context, yield func([]float32, int) error) error {
		return p.Each(ctx, p.Train, p.Some(n, "calibrate", e.Seed), min(Batch, n), func(b samples.Batch) error {
			defer rep.Progress(int64(b.Done), int64(n), "")
			return yield(b.X, b.N)
		})
	}
}

// calibrated calibrates a network on what a source yields.
func calibrated(ctx context.Context, e *stage.Env, net *network.Network, ranges calibrate.Ranges, from calibrate.Source, o calibrate.Options, rep *event.Reporter) (*Calibrated, *calibrate.Statistics, error) {
	st, err := calibrate.Collect(ctx, net.Core, net.Plan, from, o)
	if err != nil {
		return nil, nil, err
	}
	c, err := WithNorms(net, st)
	if err != nil {
		return nil, nil, err
	}
	if _, err := calibrate.Order(ctx, c.Model, c.Plan, e.Pool); err != nil {
		return nil, nil, err
	}
	equalized, err := calibrate.Equalize(c.Model, c.Plan)
	if err != nil {
		return nil, nil, err
	}
	if equalized {
		rep.Message("channels in front of depthwise layers were given one range: once more for the statistics")
		if st, err = calibrate.Collect(ctx, c.Model, c.Plan, from, o); err != nil {
			return nil, nil, err
		}
	}
	if err := calibrate.Balance(c.Model, c.Plan); err != nil {
		return nil, nil, err
	}
	c.Start, err = calibrate.SupernetFrom(ranges, c.Model, c.Plan, st, e.Pool)
	return c, st, err
}

// WithNorms makes the model with norms of the float one, and plans it. The supernet to start from is still to be made.
func WithNorms(net *network.Network, st *calibrate.Statistics) (*Calibrated, error) {
	c := &Calibrated{Network: net, Model: net.Core.Clone()}
	if err := calibrate.Norms(c.Model, net.Plan, st); err != nil {
		return nil, err
	}
	return c, c.plan()
}

// plan plans the model with norms.
func (c *Calibrated) plan() error {
	if err := shape.Infer(c.Model.Graph); err != nil {
		return fmt.Errorf("infer shapes: %w", err)
	}
	plan, err := quantize.NewPlan(c.Model, c.Network.PlanOptions())
	if err != nil {
		return fmt.Errorf("plan the calibrated model: %w", err)
	}
	c.Plan = plan
	return nil
}

// Loaded is the engine's network with the quantizers of a plan of the model, loaded with what a supernet holds for it.
// A network that is trained in float has its quantizers off.
func (c *Calibrated) Loaded(plan *quantize.Plan, s *quantize.Supernet) (*fakequant.Network, error) {
	g, err := decode.Decode(c.Model)
	if err != nil {
		return nil, fmt.Errorf("decode the calibrated model: %w", err)
	}
	net, err := fakequant.Rewrite(g, plan, fakequant.Options{BiasRounding: true})
	if err != nil {
		return nil, err
	}
	if c.Network.Widths.Float {
		net.Disable()
	}
	return net, net.Load(s)
}
