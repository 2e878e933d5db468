package engine

import "github.com/mpqc/mpqc/internal/tensor"

// Pointwise is an operator that computes each element of its output from the elements at the same place of its inputs.
// All are tensors [N, C, ...] of one shape.
//
// Compile fuses chains of them: a piece of the tensor passes through all operators while it is in cache. The backward
// sweep passes it through once more, so that values between the operators are never stored.
//
// A run consists of Prepare, Map or Slope for all pieces in any order, and Conclude. Sums over the tensor are gathered
// per piece and added up in Conclude, in the order of pieces.
type Pointwise interface {
	Differentiable
	// Head says that Prepare reads the elements of input 0, so that no other operator can precede it in a chain.
	Head() bool
	// Prepare begins a run over the grid.
	Prepare(t *Task, g Grid, backward bool)
	// Map computes p.Y, which may be p.X, from p.X and p.Other.
	Map(t *Task, p *Piece)
	// Slope computes p.DX, which may be p.DY, and p.DOther from p.X and p.DY. DOther may be nil.
	Slope(t *Task, p *Piece)
	// Conclude ends a run. In a backward run, t.GradIn[0] holds what Slope wrote; its Data is nil if it is not needed.
	Conclude(t *Task, g Grid, backward bool)
}

// Starter is a Pointwise operator that must see its whole input once before its first run.
type Starter interface {
	Pointwise
	// Started reports whether it has.
	Started() bool
	// Watch sees a piece of the input. Start is called after all pieces.
	Watch(t *Task, p *Piece)
	Start(t *Task, g Grid)
}

// Piece is a part of the tensors of a Pointwise operator: several planes, or a part of one.
type Piece struct {
	Index    int // number of the piece
	At       int // index of its first element in the tensor
	X, Other []float32
	Y        []float32
	DX, DY   []float32
	DOther   []float32
	Again    bool // Map recomputes for the backward sweep and must not gather sums
}

// Pass is the Map of an operator that changes nothing.
func (p *Piece) Pass() {
	if len(p.X) > 0 && &p.X[0] != &p.Y[0] {
		copy(p.Y, p.X)
	}
}

// PassBack is the Slope of an operator that changes nothing.
func (p *Piece) PassBack() {
	if len(p.DY) > 0 && &p.DY[0] != &p.DX[0] {
		copy(p.DX, p.DY)
	}
}

// Simple implements the methods of Pointwise that operators without sums or parameters share.
type Simple struct{}

// Head is false.
func (Simple) Head() bool { return false }

// Prepare does nothing.
func (Simple) Prepare(*Task, Grid, bool) {}

// Conclude does nothing.
func (Simple) Conclude(*Task, Grid, bool) {}

// pieceFloats is the size of a piece. With the values between a few operators it fits the L1 cache.
const pieceFloats = 1 << 11

// Grid divides a tensor [N, C, ...] into pieces, as a function of its shape only.
type Grid struct {
	N, C, Plane int // Plane is the number of elements of a channel of a sample
	planes      int // per piece; 0 if planes are cut
	cuts        int // pieces per plane; 1 if planes are whole
}

// NewGrid returns the grid of a shape. A tensor of rank 0 or 1 is a single plane.
func NewGrid(s tensor.Shape) Grid {
	g := Grid{N: 1, C: 1, Plane: s.Numel(), cuts: 1}
	if len(s) >= 2 {
		g = Grid{N: s[0], C: s[1], Plane: s[2:].Numel(), cuts: 1}
	}
	if g.Plane > pieceFloats {
		g.cuts = (g.Plane + pieceFloats - 1) / pieceFloats
	} else {
		g.planes = max(1, pieceFloats/max(g.Plane, 1))
	}
	return g
}

// Len is the number of elements of the tensor.
func (g Grid) Len() int { return g.N * g.C * g.Plane }

// Pieces is the number of pieces.
func (g Grid) Pieces() int {
	if g.planes > 0 {
		return (g.N*g.C + g.planes - 1) / g.planes
	}
	return g.N * g.C * g.cuts
}

// Span returns the range [lo, hi) of elements of piece i.
func (g Grid) Span(i int) (lo, hi int) {
	if g.planes > 0 {
		return i * g.planes * g.Plane, min((i+1)*g.planes, g.N*g.C) * g.Plane
	}
	lo = i/g.cuts*g.Plane + i%g.cuts*pieceFloats
	return lo, min(lo+pieceFloats, (i/g.cuts+1)*g.Plane)
}

// Rows is the number of rows of the tensor. A row is a plane, or a piece if planes are cut.
func (g Grid) Rows() int { return g.N * g.C * g.cuts }

// RowLen is the length of the first row of a channel: a plane or a piece.
func (g Grid) RowLen() int {
	if g.cuts > 1 {
		return pieceFloats
	}
	return g.Plane
}

// Row returns the number and the channel of the row that begins at element at of the tensor.
func (g Grid) Row(at int) (row, channel int) {
	plane := at / g.Plane
	if g.cuts == 1 {
		return plane, plane % g.C
	}
	return plane*g.cuts + at%g.Plane/pieceFloats, plane % g.C
}

// RowsOf returns the range [lo, hi) of rows of a channel of sample n.
func (g Grid) RowsOf(n, channel int) (lo, hi int) {
	lo = (n*g.C + channel) * g.cuts
	return lo, lo + g.cuts
}
