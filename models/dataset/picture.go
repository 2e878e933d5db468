package dataset

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
)

// picture holds 8-bit pixels, rows from the top, channels interleaved: 1 (grey) or 3 (RGB).
type picture struct {
	width, height, channels int
	pix                     []uint8
}

// maxPixels bounds what a picture file may claim: a few hostile bytes must not allocate gigabytes.
const maxPixels = 1 << 27

// pixelsPerByte is the most that a file can hold: PNG packs 8 pixels of a bit into a byte and deflates that 1032 times at
// best; JPEG does not come near.
const pixelsPerByte = 8 * 1032

// decodePicture reads a JPEG or PNG file by its content, whatever its name.
func decodePicture(r io.ReadSeeker) (*picture, error) {
	magic := make([]byte, 4)
	if _, err := io.ReadFull(r, magic); err != nil {
		return nil, errors.New("the file is empty or cut off")
	}
	decode, config := jpeg.Decode, jpeg.DecodeConfig
	if string(magic) == "\x89PNG" {
		decode, config = png.Decode, png.DecodeConfig
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	c, err := config(r)
	if err != nil {
		return nil, err
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels/c.Height {
		return nil, fmt.Errorf("a picture of %dx%d pixels is not readable", c.Height, c.Width)
	}
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if int64(c.Width)*int64(c.Height) > pixelsPerByte*size {
		return nil, fmt.Errorf("the file of %d bytes claims %dx%d pixels, more than it can hold", size, c.Height, c.Width)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	m, err := decode(r)
	if err != nil {
		return nil, err
	}
	return fromImage(m), nil
}

// fromImage converts as Pillow's convert("RGB") and convert("L") do: transparency is dropped, not blended.
func fromImage(m image.Image) *picture {
	b := m.Bounds()
	p := &picture{b.Dx(), b.Dy(), 3, nil}
	switch m := m.(type) {
	case *image.YCbCr:
		p.pix = fromYCbCr(m)
	case *image.Gray:
		p.channels, p.pix = 1, make([]uint8, p.width*p.height)
		for y := range p.height {
			copy(p.pix[y*p.width:(y+1)*p.width], m.Pix[y*m.Stride:])
		}
	case *image.Gray16:
		p.channels, p.pix = 1, make([]uint8, p.width*p.height)
		for i := range p.pix {
			p.pix[i] = m.Pix[i/p.width*m.Stride+i%p.width*2]
		}
	case *image.RGBA: // from PNG without transparency
		p.pix = dropAlpha(m.Pix, m.Stride, p)
	case *image.NRGBA:
		p.pix = dropAlpha(m.Pix, m.Stride, p)
	case *image.CMYK:
		p.pix = make([]uint8, 3*p.width*p.height)
		for i := range p.width * p.height {
			q := m.Pix[i/p.width*m.Stride+i%p.width*4:]
			p.pix[3*i], p.pix[3*i+1], p.pix[3*i+2] = color.CMYKToRGB(q[0], q[1], q[2], q[3])
		}
	default:
		p.pix = make([]uint8, 0, 3*p.width*p.height)
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
				p.pix = append(p.pix, c.R, c.G, c.B)
			}
		}
	}
	return p
}

func dropAlpha(pix []uint8, stride int, p *picture) []uint8 {
	out := make([]uint8, 0, 3*p.width*p.height)
	for y := range p.height {
		for row := pix[y*stride : y*stride+4*p.width]; len(row) > 0; row = row[4:] {
			out = append(out, row[0], row[1], row[2])
		}
	}
	return out
}

// as returns the picture in the colours of a preprocessing; grey values by ITU-R 601 in the fixed point of Pillow.
func (p *picture) as(colour string) *picture {
	n := p.width * p.height
	switch {
	case colour == "GRAY" && p.channels == 3:
		q := &picture{p.width, p.height, 1, make([]uint8, n)}
		for i := range n {
			r, g, b := uint32(p.pix[3*i]), uint32(p.pix[3*i+1]), uint32(p.pix[3*i+2])
			q.pix[i] = uint8((r*19595 + g*38470 + b*7471 + 0x8000) >> 16)
		}
		return q
	case colour != "GRAY" && p.channels == 1:
		q := &picture{p.width, p.height, 3, make([]uint8, 0, 3*n)}
		for _, v := range p.pix {
			q.pix = append(q.pix, v, v, v)
		}
		return q
	default:
		return p
	}
}
