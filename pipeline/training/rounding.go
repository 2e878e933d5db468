package training

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/rounding"
)

// roundingBatch is small, since the inputs of all layers are kept.
const roundingBatch = 16

// round is the rounding stage: codes for the weights of the supernet with a hash, which stays as it is. Rounding to the
// nearest needs none. nil codes are to be read from their file.
func round(ctx context.Context, e *stage.Env, c *calibration.Calibrated, p *samples.Samples, s *quantize.Supernet, sum string, o Options) (*quantize.Supernet, error) {
	if !supernet.Compensates(c, o.RoundingOptions) {
		return nil, nil
	}
	step := stage.Step{Name: event.StageRound, Artifact: stage.CodesFile, Key: supernet.RoundingKey(sum)}
	load := func(string) (*quantize.Supernet, error) {
		codes, err := e.LoadArrays(stage.CodesFile)
		if err != nil && !stage.Damaged(err) {
			return nil, nil // whoever uses them says what is wrong
		}
		return codes, err
	}
	return stage.Cached(e, step, load, func(string) (*quantize.Supernet, stage.Ended, error) {
		indices := p.Rounding(e.Seed)
		rep := e.Start(event.StageRound, "", fmt.Sprintf("%d samples", len(indices)))
		codes, err := chooseCodes(ctx, e, c, p, s, indices, rep)
		if err == nil {
			err = e.SaveArrays(stage.CodesFile, codes)
		}
		if err != nil {
			return nil, stage.Ended{}, err
		}
		e.Seconds.Round = rep.Done("")
		return codes, stage.Ended{Seconds: e.Seconds.Round, Note: sum}, nil
	})
}

// chooseCodes chooses codes of the weights of a supernet for samples.
func chooseCodes(ctx context.Context, e *stage.Env, c *calibration.Calibrated, p *samples.Samples, s *quantize.Supernet, indices []int, rep *event.Reporter) (*quantize.Supernet, error) {
	net, err := c.Loaded(c.Plan, s)
	if err != nil {
		return nil, err
	}
	source := func(ctx context.Context, yield func([]float32, int) error) error {
		return p.Each(ctx, p.Train, indices, roundingBatch, func(b samples.Batch) error { return yield(b.X, b.N) })
	}
	return rounding.Codes(ctx, net, source, rounding.Options{
		Batch: roundingBatch, Trained: e.Trained(), Pool: e.Pool, MaxBytes: e.Machine.MaxMemory,
		Seen: rep.Counter(len(indices)),
		Rounded: func(layers, of int) {
			if layers == 0 {
				rep.Next(fmt.Sprintf("%d layers", of))
			}
			rep.Progress(int64(layers), int64(of), "")
		},
	})
}
