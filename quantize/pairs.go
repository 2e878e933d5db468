package quantize

import (
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
)

// PairLimit is the largest magnitude that the codes of two partners of one sign may add up to. Times the highest
// activation code, it fits into 16 bits.
const PairLimit = math.MaxInt16 / math.MaxUint8

// Paired reports whether products of the layer's weights are added in 16 bits on x86 CPUs without VNNI. That holds for
// all layers but depthwise convolutions with one output per channel, whose kernels add in 32 bits.
func (l *Layer) Paired() bool { return !l.Apart() }

// Pairing says which two weights of an output channel are added in 16 bits, by the order in which runtimes pack them.
type Pairing int

const (
	// Unpaired weights are never added in 16 bits: the runtime adds products in 32 bits.
	Unpaired Pairing = iota
	// PairedFlat is the order of onnxruntime: weights are read four at a time along [position, input channel]
	// (MlasConvSymPackW, or ReorderFilter of QLinearConv and then MlasGemmPackB), those of matrices row by row. The
	// first two of the four are partners, and the last two.
	PairedFlat
	// PairedEither is that order and the one of oneDNN, which OpenVINO computes with: channels are padded to a multiple
	// of four at every position (formats of the kind OIhw8i8o4i in jit_uni_x8s8s32x_convolution), so partners are at
	// one position. The two orders differ for an odd number of channels alone.
	PairedEither
)

// orders are the pairings without alternatives that a pairing of a shape consists of.
func (o Pairing) orders(shape []int, axis int) []partners {
	weights, channels := geometry(shape, axis)
	positions := weights / max(channels, 1)
	switch {
	case o == Unpaired:
		return nil
	case o == PairedEither && channels%2 == 1 && positions > 1:
		return []partners{flatPartners(weights, channels), positionPartners(weights, channels)}
	default:
		return []partners{flatPartners(weights, channels)}
	}
}

// Alike reports whether two pairings are the same for weights of a shape.
func (o Pairing) Alike(other Pairing, shape []int, axis int) bool {
	return len(o.orders(shape, axis)) == len(other.orders(shape, axis))
}

// Pairings are those that differ for the weights of a layer.
func (l *Layer) Pairings() []Pairing {
	if PairedEither.Alike(PairedFlat, l.Shape, l.Axis) {
		return []Pairing{PairedFlat}
	}
	return []Pairing{PairedFlat, PairedEither}
}

// Partners lists, for each weight of an output channel in stored order, the index of the weight whose product is added
// to its own in 16 bits; -1 for none. There is one list for each order that a pairing stands for.
func Partners(shape []int, axis int, order Pairing) [][]int {
	var lists [][]int
	for _, p := range order.orders(shape, axis) {
		lists = append(lists, p)
	}
	return lists
}

// partners is the other one of each weight, -1 for none.
type partners []int

// geometry is the number of weights of an output channel and of the channels that it reads.
func geometry(shape []int, axis int) (weights, channels int) {
	weights, channels = 1, 1
	for i, d := range shape {
		if i == axis {
			continue
		}
		if weights *= d; i < 2 {
			channels *= d
		}
	}
	return weights, channels
}

// flatPartners pairs weights along [position, channel], across positions.
func flatPartners(weights, channels int) partners {
	p, positions := make(partners, weights), weights/max(channels, 1)
	at := func(k int) int { return k%channels*positions + k/channels }
	for k := range p {
		p[at(k)] = -1
		if k^1 < weights {
			p[at(k)] = at(k ^ 1)
		}
	}
	return p
}

// positionPartners pairs the channels of each position.
func positionPartners(weights, channels int) partners {
	p, positions := make(partners, weights), weights/max(channels, 1)
	for k := range p {
		p[k] = -1
		if c := k / positions; c^1 < channels {
			p[k] = (c^1)*positions + k%positions
		}
	}
	return p
}

// ChannelWeights returns where the weights of output channel k begin among those of a layer, and their stride. axis
// counts the channels: 0 or, in a matrix, 0 or 1.
func ChannelWeights(shape []int, axis, k int) (first, stride int) {
	if axis == 1 {
		return k, shape[1]
	}
	return k * tensor.Shape(shape[1:]).Numel(), 1
}

// WorstPairs returns, per output channel, the largest magnitude of the sum of two partners of one sign. It is 0 for
// Unpaired. For axis see ChannelWeights.
func WorstPairs(codes []int8, shape []int, axis int, order Pairing) []int {
	worst := make([]int, shape[axis])
	for _, p := range order.orders(shape, axis) {
		for k := range worst {
			first, stride := ChannelWeights(shape, axis, k)
			worst[k] = max(worst[k], p.worst(codes[first:], stride))
		}
	}
	return worst
}

// worst is the largest magnitude of a pair, of codes that lie a stride apart.
func (p partners) worst(codes []int8, stride int) int {
	most := 0
	for i, j := range p {
		c := int(codes[i*stride])
		most = max(most, c, -c)
		if j <= i {
			continue // none, or seen
		}
		if d := int(codes[j*stride]); (c < 0) == (d < 0) {
			most = max(most, c+d, -c-d)
		}
	}
	return most
}
