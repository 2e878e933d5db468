package dataset

import (
	"bytes"
	"encoding/binary"
)

// orientation reads how a JPEG image must be turned to stand upright: 1 to 8 as in EXIF (CIPA DC-008, tag 0x0112), 1
// where the file does not say.
func orientation(jpeg []byte) int {
	for marker, segment := range segments(jpeg) {
		if rest, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return exifOrientation(rest)
		}
	}
	return 1
}

// exifOrientation looks the tag up in the first directory of a TIFF structure.
func exifOrientation(tiff []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.HasPrefix(tiff, []byte("MM\x00\x2a")):
		order = binary.BigEndian
	case !bytes.HasPrefix(tiff, []byte("II\x2a\x00")):
		return 1
	}
	if len(tiff) < 8 {
		return 1
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == 0x0112 {
			if v := int(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// upright turns an image to stand upright. Bit 2 of orientation-1 exchanges rows and columns; the other bits name the
// mirrored place that row y, column x is read from.
func (p *bitmap) upright(orientation int) *bitmap {
	if orientation <= 1 || orientation > 8 {
		return p
	}
	turned := orientation >= 5
	q := &bitmap{p.width, p.height, p.channels, make([]uint8, 0, len(p.pix))}
	if turned {
		q.width, q.height = p.height, p.width
	}
	for y := range q.height {
		for x := range q.width {
			sx, sy := x, y
			if turned {
				sx, sy = y, x
			}
			switch orientation {
			case 2, 3, 7, 8:
				sx = p.width - 1 - sx
			}
			switch orientation {
			case 3, 4, 6, 7:
				sy = p.height - 1 - sy
			}
			at := (sy*p.width + sx) * p.channels
			q.pix = append(q.pix, p.pix[at:at+p.channels]...)
		}
	}
	return q
}
