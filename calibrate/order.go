package calibrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// Order permutes the channels between two layers, in place, so that partners are seldom both large in the layer that
// reads them. Partners are 8-bit weights that bound each other, see quantize.Partners. The cost of the bound is decided
// by the pair with the largest sum.
//
// Depthwise layers and operators that treat all channels alike may stand between the two layers. Nothing else sees the
// order. The function of the model stays the same, except for the order in which products are added. Order reports
// whether anything changed.
func Order(ctx context.Context, m *onnx.Model, plan *quantize.Plan, pool *par.Pool) (bool, error) {
	var blocks []orderable
	for i := range plan.Layers {
		if l := &plan.Layers[i]; couldSaturate(l) {
			if carriers := carriersOf(m, plan, l); carriers != nil {
				blocks = append(blocks, orderable{l, carriers, nil})
			}
		}
	}
	errs := make([]error, len(blocks))
	pool.Run(len(blocks), func(i int) {
		if errs[i] = ctx.Err(); errs[i] != nil {
			return
		}
		data, shape, err := constant(m, blocks[i].reader.Weight)
		if err != nil {
			errs[i] = err
			return
		}
		blocks[i].order = pairing(rowsOf(data, shape, blocks[i].reader.Axis))
	})
	if err := errors.Join(errs...); err != nil {
		return false, fmt.Errorf("order channels: %w", err)
	}
	changed := false
	for _, b := range blocks {
		if b.order == nil {
			continue
		}
		changed = true
		if err := b.apply(m); err != nil {
			return changed, fmt.Errorf("order the channels that layer %q reads: %w", b.reader.Node, err)
		}
	}
	return changed, nil
}

// couldSaturate reports whether a layer has pairs of 8-bit weights in any policy, each of two input channels.
func couldSaturate(l *quantize.Layer) bool {
	if !l.Paired() || l.Depthwise || l.Groups > 1 || len(l.Shape) < 2 || l.Shape[l.InputAxis]%2 != 0 {
		return false
	}
	widths := widths(l.Fixed, l.Candidates)
	return widths[len(widths)-1] == 8
}

// orderable is a layer that reads channels whose order is free.
type orderable struct {
	reader   *quantize.Layer
	carriers []carrier
	order    []int // present positions of the channels in the new order; nil: unchanged
}

// apply permutes all constants.
func (b *orderable) apply(m *onnx.Model) error {
	for _, c := range append(b.carriers, carrier{b.reader.Weight, b.reader.InputAxis}) {
		data, shape, err := constant(m, c.name)
		if err != nil {
			return err
		}
		if err := m.Graph.Value(c.name).SetConst(tensor.From(shape, taken(data, shape, c.axis, b.order))); err != nil {
			return err
		}
	}
	return nil
}

// taken returns data with the indices of an axis permuted: index c of the result is index order[c] of data.
func taken(data []float32, shape tensor.Shape, axis int, order []int) []float32 {
	out := make([]float32, 0, len(data))
	inner, n := shape[axis+1:].Numel(), shape[axis]
	for outer := 0; outer < len(data); outer += n * inner {
		for _, c := range order {
			out = append(out, data[outer+c*inner:outer+(c+1)*inner]...)
		}
	}
	return out
}

// rowsOf returns the weights of a layer as [input channel][output channel, position], and the number of positions.
func rowsOf(data []float32, shape tensor.Shape, axis int) (rows [][]float32, positions int) {
	outs, ins := shape[axis], shape[1-axis]
	positions = shape[2:].Numel()
	rows = make([][]float32, ins)
	for c := range rows {
		rows[c] = make([]float32, 0, outs*positions)
		for o := range outs {
			at := (o*ins + c) * positions
			if axis == 1 {
				at = (c*outs + o) * positions
			}
			rows[c] = append(rows[c], data[at:at+positions]...)
		}
	}
	return rows, positions
}
