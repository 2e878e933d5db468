package ops

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
)

// Add is y = a + b with broadcasting; da = dy, db = dy.
type Add struct {
	binary
	engine.Simple
}

// Type is "Add".
func (*Add) Type() string { return "Add" }

func addRow(a []float32, ia int, b []float32, ib int, y []float32) {
	if ia == 1 && ib == 1 {
		kernel.Add(a[:len(y)], b[:len(y)], y)
		return
	}
	for k := range y {
		y[k] = a[k*ia] + b[k*ib]
	}
}

// Map computes a piece of y.
func (*Add) Map(_ *engine.Task, p *engine.Piece) { kernel.Add(p.X, p.Other, p.Y) }

// Slope passes a piece of dy to both operands.
func (*Add) Slope(_ *engine.Task, p *engine.Piece) {
	p.PassBack()
	if p.DOther != nil {
		copy(p.DOther, p.DY)
	}
}

// NewAdd makes an Add.
func NewAdd() *Add {
	return &Add{binary: binary{value: addRow, slopes: [2]slopeFunc{passSlope, passSlope}}}
}

func buildAdd(Attributes) (engine.Op, error) { return NewAdd(), nil }
