package dataset

import (
	"fmt"
	"math/rand/v2"
)

// Augmentation changes training samples at random, as a pure function of (seed, epoch, index).
type Augmentation struct {
	Flip bool // left and right exchanged with probability 1/2
	// Crop moves the window of the centre crop to a random place. Without a centre crop it shifts the sample by up to
	// an eighth of its sides, and fills with black.
	Crop bool
}

// ParseAugmentation parses the names "flip" and "crop"; "none" stands alone. Other names are an error.
func ParseAugmentation(names []string) (Augmentation, error) {
	var a Augmentation
	for _, n := range names {
		switch {
		case n == "flip":
			a.Flip = true
		case n == "crop":
			a.Crop = true
		case n == "none" && len(names) == 1:
		default:
			return Augmentation{}, fmt.Errorf("unknown augmentation %q (flip, crop, or none alone)", n)
		}
	}
	return a, nil
}

// change is the augmentation of one sample; nil leaves it unchanged.
type change struct {
	flip, crop bool
	down       float64 // position of the window, in [0, 1]
	right      float64
}

// Streams of random numbers that must be independent of each other.
const (
	streamShuffle = 0x5bd1e995
	streamAugment = 0x9e3779b9
	streamHoldout = 0x85ebca6b
	streamDevelop = 0xc2b2ae35
	streamReserve = 0x27d4eb2f
)

// generator returns a random generator that depends on all its arguments.
func generator(seed, stream, epoch, index uint64) *rand.Rand {
	mix := rand.NewPCG(seed^stream<<32, epoch)
	return rand.New(rand.NewPCG(mix.Uint64()^index, mix.Uint64()+index<<1))
}

// change draws the augmentation of one sample.
func (a Augmentation) change(seed uint64, epoch, index int) *change {
	if !a.Flip && !a.Crop {
		return nil
	}
	r := generator(seed, streamAugment, uint64(epoch), uint64(index))
	// Drawn whether used or not, so that one option does not change the other's numbers.
	flip, down, right := r.Uint64()&1 == 1, r.Float64(), r.Float64()
	return &change{flip: a.Flip && flip, crop: a.Crop, down: down, right: right}
}

// apply crops to size (height, width; nil: the size of p) and flips.
func (c *change) apply(p *bitmap, size []int) *bitmap {
	h, w := p.height, p.width
	if size != nil {
		h, w = size[0], size[1]
	}
	top, left := centre(p.height, h), centre(p.width, w)
	if c != nil && c.crop {
		top, left = window(p.height, h, c.down), window(p.width, w, c.right)
	}
	p = p.crop(top, left, h, w)
	if c != nil && c.flip {
		p = p.flip()
	}
	return p
}

// window returns where a window of length want begins in a side of length have, at position at in [0, 1] of its range.
func window(have, want int, at float64) int {
	if have > want {
		return int(at * float64(have-want+1))
	}
	play := want / 8
	return centre(have, want) - play + int(at*float64(2*play+1))
}

// flip exchanges left and right.
func (p *bitmap) flip() *bitmap {
	q := &bitmap{p.width, p.height, p.channels, make([]uint8, len(p.pix))}
	c := p.channels
	for i := range p.width * p.height {
		y, x := i/p.width, i%p.width
		copy(q.pix[(y*p.width+p.width-1-x)*c:][:c], p.pix[i*c:][:c])
	}
	return q
}
