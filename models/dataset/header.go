package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
)

// maxPixels is the most pixels that an image file may claim. A few hostile bytes must not allocate gigabytes.
const maxPixels = 1 << 27

// pixelsPerByte is the most pixels that a byte of a file can hold. PNG packs 8 one-bit pixels into a byte and deflates
// that by 1032 at best; JPEG holds far fewer.
const pixelsPerByte = 8 * 1032

// maxScans is the most passes of a progressive JPEG. Each takes as long as the whole image, even with few bytes.
// Encoders write about ten.
const maxScans = 500

// header is what the first bytes of an image file say.
type header struct {
	width, height int
	png           bool
	decoding      int64 // bytes that decoding takes, from the file's pixels to 8 bits
}

// isPNG reports whether the contents are a PNG file.
func isPNG(b []byte) bool { return bytes.HasPrefix(b, []byte("\x89PNG")) }

// readHeader reads the header of a file of size bytes. b are its first bytes; r reads it from the start. The error is
// io.ErrUnexpectedEOF if r ends too early.
func readHeader(b []byte, size int64, r io.Reader) (header, error) {
	if len(b) < 4 {
		return header{}, errors.New("the file is empty or cut off")
	}
	h := header{png: isPNG(b)}
	config := jpeg.DecodeConfig
	if h.png {
		config = png.DecodeConfig
	} else if kind := foreign(b); kind != "" {
		return h, fmt.Errorf("it is %s and neither JPEG nor PNG: convert it", kind)
	}
	c, err := config(r)
	if err != nil {
		return h, err
	}
	h.width, h.height = c.Width, c.Height
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels/c.Height {
		return h, fmt.Errorf("a image of %dx%d pixels is not readable", c.Height, c.Width)
	}
	if int64(c.Width)*int64(c.Height) > pixelsPerByte*size {
		return h, fmt.Errorf("the file of %d bytes claims %dx%d pixels, more than it can hold", size, c.Height, c.Width)
	}
	if h.png {
		h.decoding = pngBytes(c, b)
	} else {
		h.decoding = jpegBytes(c, b)
	}
	return h, nil
}

// pngBytes is the memory that package png takes, and the image of 8-bit pixels. Palettes and transparent colours can
// make pixels wider than their kind says. An interlaced image counts once more for its passes.
func pngBytes(c image.Config, b []byte) int64 {
	const interlace = 28 // where the header says so
	wide := int64(4)
	switch c.ColorModel {
	case color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		wide = 8
	}
	if len(b) > interlace && b[interlace] != 0 {
		wide *= 2
	}
	return int64(c.Width) * int64(c.Height) * (wide + 3)
}

// jpegBytes is the memory that package jpeg takes: planes of whole blocks, 32-bit coefficients if progressive, the
// conversion, the image of 8-bit pixels, and a copy that stands upright.
func jpegBytes(c image.Config, b []byte) int64 {
	const block = 32 // pixels to a side, with the coarsest sampling
	pixels := (int64(c.Width) + block) * (int64(c.Height) + block)
	planes, converted := int64(3), int64(0)
	switch c.ColorModel {
	case color.GrayModel:
		planes = 1
	case color.CMYKModel:
		planes, converted = 4, 4
	case color.YCbCrModel:
	default:
		converted = 4
	}
	each := planes + converted + 6
	if progressive(b) {
		each += 4 * planes
	}
	return pixels * each
}

// segments yields the segments of a JPEG file up to its first scan, until yield returns false.
func segments(jpeg []byte) func(yield func(marker byte, content []byte) bool) {
	return func(yield func(byte, []byte) bool) {
		if !bytes.HasPrefix(jpeg, []byte{0xff, 0xd8}) {
			return
		}
		for b := jpeg[2:]; len(b) >= 4 && b[0] == 0xff && b[1] != 0xda; {
			if b[1] == 0xff { // fill byte
				b = b[1:]
				continue
			}
			size := int(b[2])<<8 | int(b[3])
			if size < 2 || size+2 > len(b) || !yield(b[1], b[4:size+2]) {
				return
			}
			b = b[size+2:]
		}
	}
}

// progressive reports whether a JPEG is progressive, or may be as far as b shows.
func progressive(b []byte) bool {
	for marker := range segments(b) {
		switch marker {
		case 0xc0, 0xc1:
			return false
		}
	}
	return true
}

// scans counts the scans of a JPEG file up to its end. Phones append videos behind it. Scans inside other segments,
// such as previews, do not count.
func scans(jpeg []byte) (n int) {
	for i := 2; ; {
		next := bytes.IndexByte(jpeg[min(i, len(jpeg)):], 0xff)
		if i += next; next < 0 || i+1 >= len(jpeg) {
			return n
		}
		switch marker := jpeg[i+1]; {
		case marker == 0xd9:
			return n
		case marker == 0xff: // fill byte
			i++
		case marker <= 1, marker >= 0xd0 && marker <= 0xd8: // within a scan, or without content
			i += 2
		case i+3 >= len(jpeg):
			return n
		default:
			if marker == 0xda {
				n++
			}
			i += 2 + (int(jpeg[i+2])<<8 | int(jpeg[i+3]))
		}
	}
}

// foreign names the format of a file that has the name of an image but is none, "" if unknown.
func foreign(b []byte) string {
	for _, k := range []struct {
		at          int
		magic, name string
	}{
		{0, "GIF8", "a GIF"},
		{8, "WEBP", "a WebP"},
		{0, "BM", "a BMP"},
		{0, "II*\x00", "a TIFF"},
		{0, "MM\x00*", "a TIFF"},
		{4, "ftyp", "a HEIC or AVIF"},
		{0, "\x00\x00\x00\x0cJXL", "a JPEG XL"},
		{0, "\xff\x0a", "a JPEG XL"},
		{0, "\x00\x00\x00\x0cjP", "a JPEG 2000"},
		{0, "8BPS", "a Photoshop file"},
		{0, "PK\x03\x04", "a zip archive"},
		{0, gzipMagic, "a gzip file"},
		{0, "version https://git-lfs", "a Git LFS pointer"},
		{0, "<", "a text file (a web page or SVG)"},
	} {
		if len(b) >= k.at && bytes.HasPrefix(b[k.at:], []byte(k.magic)) {
			return k.name
		}
	}
	return ""
}
