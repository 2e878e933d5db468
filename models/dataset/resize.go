package dataset

import "math"

// resizeBits is the fixed-point precision of weights: 32 bits minus 8 of the pixel and 2 of overshoot, as in Pillow.
const resizeBits = 32 - 8 - 2

// taps are the weights of one output pixel and the first input pixel they apply to.
type taps struct {
	first   int
	weights []int32
}

// resize scales to the given size as Pillow's Image.resize does: two passes, horizontal first, with 8 bits in between.
// The filter widens when it shrinks, so that nothing aliases.
func (p *bitmap) resize(width, height int, mode string) *bitmap {
	if width != p.width {
		p = p.resizeRows(width, resizeTaps(p.width, width, mode))
	}
	if height != p.height {
		p = p.resizeColumns(height, resizeTaps(p.height, height, mode))
	}
	return p
}

// resizeRows resizes horizontally.
func (p *bitmap) resizeRows(width int, all []taps) *bitmap {
	c := p.channels
	q := &bitmap{width, p.height, c, make([]uint8, width*p.height*c)}
	for y := range p.height {
		from, to := p.pix[y*p.width*c:(y+1)*p.width*c], q.pix[y*width*c:(y+1)*width*c]
		for x, t := range all {
			for k := range c {
				sum := int32(1) << (resizeBits - 1)
				for i, w := range t.weights {
					sum += w * int32(from[(t.first+i)*c+k])
				}
				to[x*c+k] = clamp(sum >> resizeBits)
			}
		}
	}
	return q
}

// resizeColumns resizes vertically.
func (p *bitmap) resizeColumns(height int, all []taps) *bitmap {
	stride := p.width * p.channels
	q := &bitmap{p.width, height, p.channels, make([]uint8, stride*height)}
	sums := make([]int32, stride)
	for y, t := range all {
		for x := range sums {
			sums[x] = 1 << (resizeBits - 1)
		}
		for i, w := range t.weights {
			for x, v := range p.pix[(t.first+i)*stride : (t.first+i+1)*stride] {
				sums[x] += w * int32(v)
			}
		}
		for x, s := range sums {
			q.pix[y*stride+x] = clamp(s >> resizeBits)
		}
	}
	return q
}

// resizeTaps computes the weights for every output pixel.
func resizeTaps(from, to int, mode string) []taps {
	filter, support := triangle, 1.0
	if mode == "bicubic" {
		filter, support = cubic, 2.0
	}
	scale := float64(from) / float64(to)
	stretch := max(scale, 1)
	support *= stretch
	out := make([]taps, to)
	for x := range out {
		centre := (float64(x) + 0.5) * scale
		first := max(int(centre-support+0.5), 0)
		last := min(int(centre+support+0.5), from)
		w := make([]float64, last-first)
		sum := 0.0
		for i := range w {
			w[i] = filter((float64(i+first) - centre + 0.5) / stretch)
			sum += w[i]
		}
		out[x] = taps{first, make([]int32, len(w))}
		for i, v := range w {
			out[x].weights[i] = int32(math.Floor(v/sum*(1<<resizeBits) + 0.5))
			if v < 0 { // Pillow rounds halves away from zero
				out[x].weights[i] = int32(math.Ceil(v/sum*(1<<resizeBits) - 0.5))
			}
		}
	}
	return out
}

// triangle is the bilinear kernel.
func triangle(x float64) float64 { return max(0, 1-math.Abs(x)) }

// cubic is Keys' kernel with a = -1/2.
func cubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	default:
		return 0
	}
}
