package dataset

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
)

// image is an image of 8-bit pixels [height, width, channels], rows from the top, with 1 channel (grey) or 3 (RGB).
type bitmap struct {
	width, height, channels int
	pix                     []uint8
}

// headSize is the number of bytes that are read to find out what decoding takes. Smaller files are read at once.
const headSize = 64 << 10

// room waits until there is memory for an image of this size, which takes decoding bytes to decode. nil does not wait.
type room func(width, height int, decoding int64) error

// take calls the function if there is one.
func (r room) take(width, height int, decoding int64) error {
	if r == nil {
		return nil
	}
	return r(width, height, decoding)
}

// image reads and decodes a file once there is memory. The contents decide between JPEG and PNG, not the name.
func (e entry) bitmap(ctx context.Context, memory room) (p *bitmap, err error) {
	r, size, err := e.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if size > maxImage {
		return nil, fmt.Errorf("it has %d bytes, more than the %d that are read", size, maxImage)
	}
	b, err := upTo(r, make([]byte, 0, min(size, headSize)+bytes.MinRead), min(size, headSize)+1)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(b, size, bytes.NewReader(b))
	if errors.Is(err, io.ErrUnexpectedEOF) && int64(len(b)) < size { // longer than that, with a preview for example
		h, err = e.longHeader(b, size)
	}
	if err != nil {
		return nil, err
	}
	if err := memory.take(h.width, h.height, size+h.decoding); err != nil {
		return nil, err
	}
	if int64(len(b)) < size {
		if b, err = upTo(r, append(make([]byte, 0, size+bytes.MinRead), b...), size+1); err != nil {
			return nil, err
		}
	}
	return h.decode(ctx, b)
}

// upTo appends what r yields to b, until b has most bytes or r ends.
func upTo(r io.Reader, b []byte, most int64) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	_, err := buf.ReadFrom(io.LimitReader(r, most-int64(len(b))))
	return buf.Bytes(), err
}

// longHeader reads a header that does not end within the first bytes of a file, without keeping it.
func (e entry) longHeader(first []byte, size int64) (h header, err error) {
	r, _, err := e.open()
	if err != nil {
		return header{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return readHeader(first, size, bufio.NewReader(r))
}

// decode decodes a whole file. The context ends it.
func (h header) decode(ctx context.Context, b []byte) (*bitmap, error) {
	from := interruptible{ctx, bytes.NewReader(b)}
	if h.png {
		m, err := png.Decode(from)
		if err != nil {
			return nil, err
		}
		return fromImage(m), nil
	}
	if n := scans(b); n > maxScans {
		return nil, fmt.Errorf("the file has %d scans, more than the %d of any encoder: save it anew", n, maxScans)
	}
	m, err := jpeg.Decode(from)
	if err != nil {
		return nil, err
	}
	return fromImage(m).upright(orientation(b)), nil
}

// interruptible is a reader that fails once its context has ended. A large image takes seconds.
type interruptible struct {
	ctx context.Context //nolint:containedctx // lives as long as the call that makes it
	r   io.Reader
}

// Read implements io.Reader.
func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// fromImage converts as Pillow's convert("RGB") and convert("L") do: transparency is dropped, not blended.
func fromImage(m image.Image) *bitmap {
	b := m.Bounds()
	p := &bitmap{b.Dx(), b.Dy(), 3, nil}
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
	case *image.RGBA64: // the same of 16 bits, of which Pillow takes the upper 8
		p.pix = dropDepth(m.Pix, m.Stride, p)
	case *image.NRGBA64:
		p.pix = dropDepth(m.Pix, m.Stride, p)
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

// dropAlpha copies the colours of 4-byte pixels.
func dropAlpha(pix []uint8, stride int, p *bitmap) []uint8 {
	out := make([]uint8, 0, 3*p.width*p.height)
	for y := range p.height {
		for row := pix[y*stride : y*stride+4*p.width]; len(row) > 0; row = row[4:] {
			out = append(out, row[0], row[1], row[2])
		}
	}
	return out
}

// dropDepth copies the upper bytes of 16-bit colours.
func dropDepth(pix []uint8, stride int, p *bitmap) []uint8 {
	out := make([]uint8, 0, 3*p.width*p.height)
	for y := range p.height {
		for row := pix[y*stride : y*stride+8*p.width]; len(row) > 0; row = row[8:] {
			out = append(out, row[0], row[2], row[4])
		}
	}
	return out
}

// as converts to the colours of a preprocessing. Grey values follow ITU-R 601 in Pillow's fixed point.
func (p *bitmap) as(colour string) *bitmap {
	n := p.width * p.height
	switch {
	case colour == "GRAY" && p.channels == 3:
		q := &bitmap{p.width, p.height, 1, make([]uint8, n)}
		for i := range n {
			r, g, b := uint32(p.pix[3*i]), uint32(p.pix[3*i+1]), uint32(p.pix[3*i+2])
			q.pix[i] = uint8((r*19595 + g*38470 + b*7471 + 0x8000) >> 16)
		}
		return q
	case colour != "GRAY" && p.channels == 1:
		q := &bitmap{p.width, p.height, 3, make([]uint8, 0, 3*n)}
		for _, v := range p.pix {
			q.pix = append(q.pix, v, v, v)
		}
		return q
	default:
		return p
	}
}
