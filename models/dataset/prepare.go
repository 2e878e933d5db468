package dataset

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
)

// prepare applies a preprocessing and augmentations to images, one after another.
type prepare struct {
	p      models.Preprocessing
	lookup [3][256]float32 // normalised value of each pixel value, per output channel
}

// newPrepare returns a prepare for a valid preprocessing.
func newPrepare(p models.Preprocessing) *prepare {
	r := &prepare{p: p}
	for c := range p.Channels() {
		mean, std := p.Mean[c%len(p.Mean)], p.Std[c%len(p.Std)]
		for v := range 256 {
			r.lookup[c][v] = float32((float64(v)/p.Scale - mean) / std)
		}
	}
	return r
}

// image resizes and crops p, and augments it by a. The result is the model's input before normalisation.
func (r *prepare) bitmap(p *bitmap, a *change) *bitmap {
	p = p.as(r.p.Color)
	if z := r.p.Resize; z != nil {
		h, w := z.Target(p.height, p.width)
		p = p.resize(w, h, z.Mode)
	}
	return a.apply(p, r.p.Crop)
}

// bytes is an upper bound of what image allocates for an image of this size: colour conversion, two passes of
// resizing with their weights, the crop, and its mirror image.
func (r *prepare) bytes(width, height int) int64 {
	w, h := int64(width), int64(height)
	n := 3 * w * h
	if z := r.p.Resize; z != nil && width > 0 && height > 0 {
		th, tw := z.Target(height, width)
		to := [2]int64{int64(tw), int64(th)}
		n += 3*to[0]*max(w, h) + 3*to[0]*to[1] // it may yet be turned
		n += 64*(to[0]+to[1]) + 32*(w+h)       // offsets and weights
		w, h = to[0], to[1]
	}
	if r.p.Crop != nil {
		w, h = int64(r.p.Crop[1]), int64(r.p.Crop[0])
	}
	return n + 2*3*w*h
}

// shape is the shape of the input made from p, without the batch.
func (r *prepare) shape(p *bitmap) tensor.Shape {
	if r.p.Layout == "NHWC" {
		return tensor.Shape{p.height, p.width, p.channels}
	}
	return tensor.Shape{p.channels, p.height, p.width}
}

// write normalises p into dst, in the layout of the model. Means are in the order of the model's channels.
func (r *prepare) write(p *bitmap, dst []float32) {
	n, c := p.width*p.height, p.channels
	for k := range c {
		from := k
		if r.p.Color == "BGR" {
			from = c - 1 - k
		}
		table := &r.lookup[k]
		if r.p.Layout == "NHWC" {
			for i := range n {
				dst[i*c+k] = table[p.pix[i*c+from]]
			}
			continue
		}
		plane := dst[k*n : (k+1)*n]
		for i := range plane {
			plane[i] = table[p.pix[i*c+from]]
		}
	}
}

// crop cuts out a window whose upper left corner is at (top, left). Parts outside of p are black.
func (p *bitmap) crop(top, left, height, width int) *bitmap {
	if top == 0 && left == 0 && height == p.height && width == p.width {
		return p
	}
	c := p.channels
	q := &bitmap{width, height, c, make([]uint8, width*height*c)}
	x0, x1 := max(left, 0), min(left+width, p.width)
	for y := max(top, 0); y < min(top+height, p.height) && x0 < x1; y++ {
		copy(q.pix[((y-top)*width+x0-left)*c:], p.pix[(y*p.width+x0)*c:(y*p.width+x1)*c])
	}
	return q
}

// centre is the corner of a centre crop; halves are rounded to even, as torchvision does.
func centre(have, want int) int { return int(math.RoundToEven(float64(have-want) / 2)) }

// checkShape is an error unless a shape fits the one that a model takes.
func checkShape(got, want tensor.Shape) error {
	if !fits(got, want) {
		return fmt.Errorf("it gives an input of shape %s, the model takes %s (--resize, --crop, --layout)", got, want)
	}
	return nil
}

// fits reports whether a shape is what a model takes, where unknown dimensions are -1.
func fits(got, want tensor.Shape) bool {
	same := len(got) == len(want)
	for i := 0; same && i < len(got); i++ {
		same = want[i] < 0 || got[i] == want[i]
	}
	return same
}
