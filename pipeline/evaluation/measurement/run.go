package measurement

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/quantize"
)

// Run measures a model in onnxruntime on the test samples with these indices.
func Run(ctx context.Context, s *ort.Session, p *samples.Samples, indices []int, kinds quantize.OutputKinds, o Options) (*Result, error) {
	r := &Result{Tally: metric.Tally{Labels: p.Labels}}
	err := p.Each(ctx, p.Test, indices, cmp.Or(fixedBatch(s), Batch), func(b samples.Batch) error {
		start := time.Now()
		y, list, err := Rows(ctx, s, p, b, kinds)
		if err != nil {
			return err
		}
		r.Seconds += time.Since(start).Seconds()
		if err := r.begin(list); err != nil {
			return err
		}
		if err := r.add(ctx, y, b, o); err != nil {
			return err
		}
		o.seen(b.Done)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.finish(o)
	return r, nil
}

// fixedBatch is the batch size that a model was exported with, 0 if it is open.
func fixedBatch(s *ort.Session) int {
	if in := s.Inputs(); len(in) == 1 && len(in[0].Shape) > 0 {
		return max(in[0].Shape[0], 0)
	}
	return 0
}

// Rows computes the outputs of a batch [n, Row()] and describes them. A model with a fixed batch runs in pieces of that
// size; the last one is padded with zeros.
func Rows(ctx context.Context, s *ort.Session, p *samples.Samples, b samples.Batch, kinds quantize.OutputKinds) (rows []float32, list metric.Outputs, err error) {
	piece := cmp.Or(fixedBatch(s), b.N)
	for at := 0; at < b.N; at += piece {
		n := min(piece, b.N-at)
		x := b.X[at*p.Elements : (at+n)*p.Elements]
		if n < piece {
			x = append(slices.Clone(x), make([]float32, p.Elements*(piece-n))...)
		}
		ys, err := s.RunFloats(ctx, x, p.BatchShape(piece))
		if err != nil {
			return nil, nil, err
		}
		y, this, err := metric.Rows(ys, piece, kinds)
		this.Label(len(p.Test.Classes()))
		if err == nil && list != nil {
			err = list.Same(this)
		}
		if err != nil {
			return nil, nil, err
		}
		list, y = this, y[:len(y)/piece*n]
		if n == b.N {
			return y, list, nil
		}
		rows = append(rows, y...)
	}
	return rows, list, nil
}
