package fakequant

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
)

// TapMode says what a distortion tap does in a run.
type TapMode int

// Modes of a tap.
const (
	Off     TapMode = iota // nothing
	Record                 // keep the output
	Compare                // add Weight*mean((y-record)^2) to the loss
)

// tap compares the output of a BatchNorm with that of an earlier run on the same batch. It implements information
// distortion mitigation (RFQuant, arXiv 2401.01543).
type tap struct {
	mode    TapMode
	weight  float32
	record  []float32 // grows on first use: layers that are never compared cost no memory
	size    int       // elements recorded; 0 if nothing fits
	loss    float64   // mean((y-record)^2) of the last compared run
	partial []float64 // loss per piece

	compares bool // in the run in progress
}

// active reports whether a run with n elements compares. The record must be of a run of the same size.
func (p *tap) active(n int) bool { return p.mode == Compare && p.size == n && n > 0 }

// prepare allocates what a run gathers.
func (p *tap) prepare(g engine.Grid) {
	n := g.Len()
	p.compares = p.active(n)
	switch {
	case p.mode == Record:
		if cap(p.record) < n {
			p.record = make([]float32, n)
		}
		p.record, p.size = p.record[:n], n
	case p.compares:
		p.partial = sized(p.partial, g.Pieces())
	}
}

// see records or compares a piece of y.
func (p *tap) see(piece *engine.Piece) {
	switch {
	case p.mode == Record:
		copy(p.record[piece.At:], piece.Y)
	case p.compares:
		p.partial[piece.Index] = kernel.SumSqDiff(piece.Y, p.record[piece.At:piece.At+len(piece.Y)])
	}
}

// conclude adds up the loss of the pieces.
func (p *tap) conclude(g engine.Grid) {
	p.loss = 0
	if !p.compares {
		return
	}
	for _, v := range p.partial {
		p.loss += v
	}
	p.loss /= float64(g.Len())
}

// slope adds 2*weight/size*(y-record) to dy, for a part of y = scale*x + shift that begins at element at.
func (p *tap) slope(scale, shift float32, x []float32, at int, dy []float32) {
	k := 2 * p.weight / float32(p.size)
	kernel.Combine(k*scale, x, 1, dy, k*shift, dy)
	kernel.Axpy(-k, p.record[at:at+len(dy)], dy)
}

// pull is slope for a given part of y.
func (p *tap) pull(y []float32, at int, dy []float32) {
	k := 2 * p.weight / float32(p.size)
	kernel.Axpy(k, y, dy)
	kernel.Axpy(-k, p.record[at:at+len(dy)], dy)
}
