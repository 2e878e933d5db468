package rounding

import (
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/kernel"
)

// maxBlock is the largest number of weights of an output channel that compensate each other. Longer channels are split
// into blocks. Factoring a block takes time in proportion to the third power of its size.
const maxBlock = 2304

// shrinkFactor is the factor k by which more than the estimated sampling noise is removed: see moments.matrix. Removing
// just the estimate brings the matrix nearest to the one of all samples. Codes depend on its inverse, though, which
// weighs most the directions that were sampled least. Where there is next to no noise, the factor has no effect.
const shrinkFactor = 20

// A layer has seen enough after this many samples, if it has also read this many positions for each weight of a
// channel. Without the limit the first layers of large samples would take most of the time.
const (
	enoughSamples   = 128
	enoughPositions = 1024
)

// moments are the second moments sum(x*x^T) of the inputs x that a layer multiplies its weights with, summed over
// samples and output positions. There is one symmetric matrix [n, n], row-major, for each group of output channels and
// each block of n weights.
type moments struct {
	groups, weights int  // number of weights of an output channel
	centred         bool // a BatchNorm behind the convolution removes the mean
	blocks          []block
	sums            [][]float64 // [group*len(blocks)+block]
	// squares holds, for each matrix, the sum over samples of the squares of that sample's off-diagonal elements.
	squares            []float64
	samples, positions int
	// centre [groups*weights] is near the mean of the inputs. offset [groups*weights] is the sum of inputs minus
	// centre.
	centre []float32
	offset []float64

	columns, product []float32 // scratch
}

// block is a range [from, to) of the weights of an output channel.
type block struct{ from, to int }

// size is the number of weights.
func (b block) size() int { return b.to - b.from }

// newMoments returns zero moments for a layer with the given number of groups and of weights per output channel.
func newMoments(groups, weights int, centred bool) *moments {
	m := &moments{groups: groups, weights: weights, centred: centred}
	pieces := (weights + maxBlock - 1) / maxBlock
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

// addConv adds a batch x [N, C, H, W] of a convolution's input.
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
	if m.centred && m.samples == 0 {
		walk(func(g int) { m.approach(g, positions, s.N*positions) })
	}
	walk(func(g int) {
		if m.centred {
			m.recentre(g, positions)
		}
		m.add(g, m.columns, positions, false)
	})
	m.samples += s.N
	m.positions += s.N * positions
}

// enough reports whether further samples would hardly change anything.
func (m *moments) enough() bool {
	return m.samples >= enoughSamples && m.positions >= enoughPositions*m.weights
}

// approach adds the share of one sample, 1/of of the sums of its columns, to the centre of a group.
func (m *moments) approach(group, positions, of int) {
	for k := range m.weights {
		m.centre[group*m.weights+k] += float32(kernel.Sum(m.columns[k*positions:(k+1)*positions]) / float64(of))
	}
}

// recentre subtracts the centre from the columns in place and keeps the sum of what is left.
func (m *moments) recentre(group, positions int) {
	for k := range m.weights {
		row := m.columns[k*positions : (k+1)*positions]
		kernel.ScaleShift(1, -m.centre[group*m.weights+k], row, row)
		m.offset[group*m.weights+k] += kernel.Sum(row)
	}
}

// addRows adds a batch of n samples of a matrix product's input x [n, ..., weights].
func (m *moments) addRows(x []float32, n int) {
	each := len(x) / n
	for i := range n {
		m.add(0, x[i*each:(i+1)*each], each/m.weights, true)
	}
	m.samples += n
	m.positions += len(x) / m.weights
}

// add adds x*x^T to the matrices of a group. x is [weights, positions], or if transposed [positions, weights].
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

// fewWeights is the largest block whose products are computed pair by pair. A matrix product would spend its time on
// preparation. That matters most in depthwise layers, which have one product per channel and sample.
const fewWeights = 16

// pairs writes x*x^T [n, n] to product, for x [n, positions].
func pairs(x []float32, n, positions int, product []float32) {
	for i := range n {
		for j := range i + 1 {
			v := float32(kernel.Dot(x[i*positions:(i+1)*positions], x[j*positions:(j+1)*positions]))
			product[i*n+j], product[j*n+i] = v, v
		}
	}
}

// finite reports whether all matrices are finite and fit in float32, which the factors are kept in. No element of such
// a matrix is larger than its trace.
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

// matrix estimates the moments [n, n] that other samples would have, in place of the sums.
//
// It first takes the mean out: H -= offset*offset^T/positions. Then the off-diagonal elements are shrunk by 1/(1 + c*(1
// + k*c)), where c is samplingShare and k is shrinkFactor.
func (m *moments) matrix(group, piece int) []float64 {
	at, b := group*len(m.blocks)+piece, m.blocks[piece]
	h, n := m.sums[at], b.size()
	offset := m.offset[group*m.weights+b.from : group*m.weights+b.to]
	for i, d := range offset {
		for j, e := range offset {
			h[i*n+j] -= d * e / float64(m.positions)
		}
	}
	share := m.samplingShare(h, n, m.squares[at])
	keep := 1 / (1 + share*(1+shrinkFactor*share)) // above 0 for any share
	for k := range h {
		if k%(n+1) != 0 {
			h[k] *= keep
		}
	}
	return h
}

// forget frees the sums of a block.
func (m *moments) forget(group, piece int) { m.sums[group*len(m.blocks)+piece] = nil }

// samplingShare estimates which share of the squared off-diagonal elements of h [n, n] is sampling noise, between 0 and
// 1.
//
// For N samples with moments h_i it is the estimated variance N/(N-1) * sum_i |h_i - h/N|^2, relative to |h|^2, both
// over off-diagonal elements. squares is sum_i |h_i|^2. This is the shrinkage intensity of Schaefer and Strimmer (2005,
// Statistical Applications in Genetics and Molecular Biology 4(1), target D). It is 1 for fewer than two samples.
func (m *moments) samplingShare(h []float64, n int, squares float64) float64 {
	var off float64
	for k, v := range h {
		if k%(n+1) != 0 {
			off += v * v
		}
	}
	count := float64(m.samples)
	if off == 0 || count < 2 {
		return 1
	}
	return min(max((squares-off/count)*count/(count-1)/off, 0), 1)
}
