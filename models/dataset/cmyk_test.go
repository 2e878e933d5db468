package dataset

import (
	"bytes"
	"math/bits"
	"testing"
)

// TestCMYK decodes a JPEG of four inks as Adobe's programs write it: inverted, so that 255 is no ink.
func TestCMYK(t *testing.T) {
	p, err := decodeImage(t.Context(), inkedJPEG(200, 100, 50, 255))
	if err != nil {
		t.Fatal(err)
	}
	if want := bytes.Repeat([]byte{200, 100, 50}, 64); p.width != 8 || p.height != 8 || !bytes.Equal(p.pix, want) {
		t.Errorf("%dx%d %v", p.height, p.width, p.pix)
	}
}

// inkedJPEG is a baseline JPEG (ITU-T T.81) of 8 by 8 equal pixels of four components, quantized in steps of 1. All
// categories of DC values have codes of four bits; a block holds no AC values, whose end has the one code of one bit.
func inkedJPEG(values ...int) []byte {
	segment := func(marker byte, body ...byte) []byte {
		n := len(body) + 2
		return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, body...)
	}
	frame, scan := []byte{8, 0, 8, 0, 8, 4}, []byte{4}
	for c := range byte(4) {
		frame = append(frame, c+1, 0x11, 0)
		scan = append(scan, c+1, 0)
	}
	dc := append([]byte{0, 0, 0, 0, 12}, make([]byte, 12)...)
	for category := range byte(12) {
		dc = append(dc, category)
	}
	ac := append([]byte{0x10, 1}, make([]byte, 16)...)
	var text []byte // '0' and '1'
	add := func(value, width int) {
		for i := width - 1; i >= 0; i-- {
			text = append(text, '0'+byte(value>>i&1))
		}
	}
	for _, v := range values {
		v = 8 * (v - 128)
		category := bits.Len(uint(max(v, -v)))
		add(category, 4)
		if v < 0 {
			v += 1<<category - 1
		}
		add(v, category)
		add(0, 1)
	}
	for len(text)%8 > 0 {
		text = append(text, '1')
	}
	out := bytes.Join([][]byte{
		{0xff, 0xd8},
		segment(0xee, append([]byte("Adobe"), 0, 100, 0, 0, 0, 0, 0)...),
		segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...),
		segment(0xc0, frame...), segment(0xc4, dc...), segment(0xc4, ac...),
		segment(0xda, append(scan, 0, 63, 0)...),
	}, nil)
	for i := 0; i < len(text); i += 8 {
		b := byte(0)
		for _, digit := range text[i : i+8] {
			b = b<<1 | (digit - '0')
		}
		if out = append(out, b); b == 0xff {
			out = append(out, 0)
		}
	}
	return append(out, 0xff, 0xd9)
}
