package rounding

import (
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/kernel"
)

// widest is the most weights of an output channel that make up for each other; more are taken apart. What factoring takes goes with
// its third power.
const widest = 2304

// caution is how much larger the share of chance is taken to be, per share. As it is it brings a matrix nearest to the one of all pictures;
// codes come from what is an inverse of it, where the directions that count most are those it has seen least of. Where next to nothing is
// chance, there are none of these.
const caution = 20

// A layer has seen enough after so many pictures, if every weight then has read so many numbers for each weight that it is set
// against. The first layers of large pictures would take most of the time otherwise.
const (
	enoughPictures  = 128
	enoughPositions = 1024
)

// moments are the second moments of what a layer multiplies its weights with, summed over pictures and positions: for each group
// of output channels, for each block of its weights, a symmetric matrix, row-major.
type moments struct {
	groups, weights int  // weights of an output channel
	centred         bool // a norm behind the convolution takes the mean away
	blocks          []block
	sums            [][]float64 // [group*len(blocks)+block]
	// squares are, for each of these, the sum over pictures of the squares of all elements off the diagonal.
	squares             []float64
	pictures, positions int
	// centre is near the mean, [groups*weights], and offset the sum of what is left of it.
	centre []float32
	offset []float64

	columns, product []float32 // room
}

// block is a range of the weights of an output channel.
type block struct{ from, to int }

func (b block) size() int { return b.to - b.from }

// newMoments are those of a layer whose output channels, in groups, have so many weights.
func newMoments(groups, weights int, centred bool) *moments {
	m := &moments{groups: groups, weights: weights, centred: centred}
	pieces := (weights + widest - 1) / widest
	for i := range pieces {
		m.blocks = append(m.blocks, block{i * weights / pieces, (i + 1) * weights / pieces})
	}
	for range groups {
		for _, b := range m.blocks {
			m.sums = append(m.sums, make([]float64, b.size()*b.size()))
		}
	}
	m.squares = make([]float64, len(m.sums))
	m.centre, m.offset = make([]float32, groups*weights), make([]float64, groups*weights)
	return m
}

// addConv adds a batch of a convolution's input [N C H W].
func (m *moments) addConv(s kernel.ConvShape, x []float32) {
	each, positions := s.C*s.H*s.W, s.OH*s.OW
	m.columns = slices.Grow(m.columns[:0], m.weights*positions)[:m.weights*positions]
	walk := func(f func(group int)) {
		for i := range s.N {
			for g := range s.Groups {
				unfold(m.columns, x[i*each:(i+1)*each], s, g)
				f(g)
			}
		}
	}
	if m.centred && m.pictures == 0 {
		walk(func(g int) { m.approach(g, positions, s.N*positions) })
	}
	walk(func(g int) {
		if m.centred {
			m.recentre(g, positions)
		}
		m.add(g, m.columns, positions, false)
	})
	m.pictures += s.N
	m.positions += s.N * positions
}

// enough reports whether further pictures would hardly change anything.
func (m *moments) enough() bool {
	return m.pictures >= enoughPictures && m.positions >= enoughPositions*m.weights
}

// approach adds one picture's share to the centre.
func (m *moments) approach(group, positions, of int) {
	for k := range m.weights {
		m.centre[group*m.weights+k] += float32(kernel.Sum(m.columns[k*positions:(k+1)*positions]) / float64(of))
	}
}

// recentre subtracts the centre from the columns.
func (m *moments) recentre(group, positions int) {
	for k := range m.weights {
		row := m.columns[k*positions : (k+1)*positions]
		kernel.ScaleShift(1, -m.centre[group*m.weights+k], row, row)
		m.offset[group*m.weights+k] += kernel.Sum(row)
	}
}

// addRows adds a batch of n pictures of a product's input [... C], whatever its leading dimensions make of them.
func (m *moments) addRows(x []float32, n int) {
	each := len(x) / n
	for i := range n {
		m.add(0, x[i*each:(i+1)*each], each/m.weights, true)
	}
	m.pictures += n
	m.positions += len(x) / m.weights
}

// add adds x*x^T of [weights, positions], or of its transpose.
func (m *moments) add(group int, x []float32, positions int, transposed bool) {
	for i, b := range m.blocks {
		n := b.size()
		m.product = slices.Grow(m.product[:0], n*n)[:n*n]
		switch part := x[b.from*positions:]; {
		case transposed:
			kernel.Gemm(nil, true, false, n, n, positions, 1, x[b.from:], m.weights, x[b.from:], m.weights, 0, m.product, n)
		case n <= fewWeights:
			pairs(part, n, positions, m.product)
		default:
			kernel.Gemm(nil, false, true, n, n, positions, 1, part, positions, part, positions, 0, m.product, n)
		}
		at := group*len(m.blocks) + i
		sum := m.sums[at]
		var square float64
		for k, v := range m.product {
			sum[k] += float64(v)
			square += float64(v) * float64(v)
		}
		for k := 0; k < n*n; k += n + 1 {
			square -= float64(m.product[k]) * float64(m.product[k])
		}
		m.squares[at] += square
	}
}

// fewWeights is the most weights whose products are taken pair by pair: a matrix product would be busy preparing, above all in depthwise
// layers, which have one per channel and picture.
const fewWeights = 16

// pairs is x*x^T of [n, positions].
func pairs(x []float32, n, positions int, product []float32) {
	for i := range n {
		for j := range i + 1 {
			v := float32(kernel.Dot(x[i*positions:(i+1)*positions], x[j*positions:(j+1)*positions]))
			product[i*n+j], product[j*n+i] = v, v
		}
	}
}

// finite reports whether all sums are.
func (m *moments) finite() bool {
	for at, h := range m.sums {
		n := m.blocks[at%len(m.blocks)].size()
		var trace float64 // no element is larger than those of the diagonal
		for k := range n {
			trace += h[k*n+k]
		}
		if !(trace <= math.MaxFloat32) { // as which they are used
			return false
		}
	}
	return true
}

// matrix is that of a block as other pictures can be expected to have it: about the mean where that does not matter, and less off
// the diagonal by the share that is chance, and more. It takes the place of the sums.
func (m *moments) matrix(group, piece int) []float64 {
	at, b := group*len(m.blocks)+piece, m.blocks[piece]
	h, n := m.sums[at], b.size()
	offset := m.offset[group*m.weights+b.from : group*m.weights+b.to]
	for i, d := range offset {
		for j, e := range offset {
			h[i*n+j] -= d * e / float64(m.positions)
		}
	}
	chance := m.chance(h, n, m.squares[at])
	sure := 1 / (1 + chance*(1+caution*chance)) // chance beside what is certain: something is left of any share
	for k := range h {
		if k%(n+1) != 0 {
			h[k] *= sure
		}
	}
	return h
}

// forget gives back the memory of the sums of a block.
func (m *moments) forget(group, piece int) { m.sums[group*len(m.blocks)+piece] = nil }

// chance is the variance of what is off the diagonal, estimated by how much pictures differ, as a share of its square (Schaefer and
// Strimmer 2005, target D).
func (m *moments) chance(h []float64, n int, squares float64) float64 {
	var off float64
	for k, v := range h {
		if k%(n+1) != 0 {
			off += v * v
		}
	}
	count := float64(m.pictures)
	if off == 0 || count < 2 {
		return 1
	}
	return min(max((squares-off/count)*count/(count-1)/off, 0), 1)
}
