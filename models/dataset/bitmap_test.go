package dataset

import (
	"bytes"
	"context"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/models"
)

// pattern is a image of formulas, which the golden checksums were made from with Pillow 13.
func pattern(width, height int) *bitmap {
	p := &bitmap{width, height, 3, nil}
	for y := range height {
		for x := range width {
			p.pix = append(p.pix, uint8(x*7+y*13), uint8(x*x+y*3), uint8(x*y))
		}
	}
	return p
}

func TestResizeEqualsPillow(t *testing.T) {
	for _, c := range []struct {
		name, mode    string
		height, width int
		want          uint32
	}{
		{"enlarge", "bilinear", 64, 64, 0xdd88782c},
		{"enlarge", "bicubic", 64, 64, 0x028e0cee},
		{"shrink", "bilinear", 10, 17, 0x3120074d},
		{"shrink", "bicubic", 10, 17, 0xa7e312f7},
		{"mixed", "bilinear", 37, 50, 0x1df78cb4},
		{"mixed", "bicubic", 37, 50, 0x01eae23d},
	} {
		t.Run(c.name+" "+c.mode, func(t *testing.T) {
			q := pattern(37, 23).resize(c.width, c.height, c.mode)
			if got := crc32.ChecksumIEEE(q.pix); got != c.want || q.width != c.width || q.height != c.height {
				t.Errorf("checksum %08x of %dx%d, want %08x", got, q.height, q.width, c.want)
			}
		})
	}
}

func TestColours(t *testing.T) {
	grey := pattern(37, 23).as("GRAY")
	if got := crc32.ChecksumIEEE(grey.pix); got != 0x2f0d59e5 {
		t.Errorf("grey has checksum %08x", got)
	}
	again := grey.as("RGB")
	if again.channels != 3 || again.pix[0] != grey.pix[0] || again.pix[2] != grey.pix[0] || again.pix[3] != grey.pix[1] {
		t.Error("grey to RGB does not repeat the value")
	}
}

func TestDecodeKinds(t *testing.T) {
	rect := image.Rect(2, 3, 5, 5) // images need not start at the origin
	c := color.NRGBA{200, 100, 50, 128}
	palette := image.NewPaletted(rect, color.Palette{color.Black, color.NRGBA{200, 100, 50, 255}})
	cmyk := image.NewCMYK(rect)
	nrgba, rgba, grey := image.NewNRGBA(rect), image.NewRGBA(rect), image.NewGray(rect)
	grey16, deep := image.NewGray16(rect), image.NewNRGBA64(rect)
	for y := rect.Min.Y; y < rect.Max.Y; y++ {
		for x := rect.Min.X; x < rect.Max.X; x++ {
			nrgba.Set(x, y, c)
			rgba.Set(x, y, color.NRGBA{200, 100, 50, 255})
			deep.Set(x, y, color.NRGBA{200, 100, 50, 255})
			palette.SetColorIndex(x, y, 1)
			cmyk.SetCMYK(x, y, color.CMYK{55, 155, 205, 0})
			grey.SetGray(x, y, color.Gray{77})
			grey16.SetGray16(x, y, color.Gray16{77<<8 | 5})
		}
	}
	rgb := bytes.Repeat([]byte{200, 100, 50}, 6)
	for _, k := range []struct {
		name string
		m    image.Image
		want []byte
	}{
		{"transparent", nrgba, rgb},
		{"opaque", rgba, rgb},
		{"16 bit", deep, rgb},
		{"palette", palette, rgb},
		{"CMYK", cmyk, rgb},
		{"grey", grey, bytes.Repeat([]byte{77}, 6)},
		{"grey, 16 bit", grey16, bytes.Repeat([]byte{77}, 6)},
	} {
		t.Run(k.name, func(t *testing.T) {
			p := fromImage(k.m)
			if p.width != 3 || p.height != 2 || !bytes.Equal(p.pix, k.want) {
				t.Errorf("%dx%d %v", p.height, p.width, p.pix)
			}
			if k.name == "CMYK" {
				return // PNG has none
			}
			var b bytes.Buffer
			if err := png.Encode(&b, k.m); err != nil {
				t.Fatal(err)
			}
			if p, err := decodeImage(t.Context(), b.Bytes()); err != nil || !bytes.Equal(p.pix, k.want) {
				t.Errorf("through PNG: %v, %v", p, err)
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	var good bytes.Buffer
	if err := jpeg.Encode(&good, image.NewRGBA(image.Rect(0, 0, 64, 64)), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"empty", nil, "empty"},
		{"text", []byte("no image"), "JPEG"},
		{"cut off", good.Bytes()[:good.Len()/2], "EOF"},
		{"broken png", []byte("\x89PNG\r\n\x1a\nxxxxxxxxxxxxxxxxxxxxxx"), "EOF"},
	} {
		if _, err := decodeImage(t.Context(), c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestChroma pins the weights and roundings of libjpeg-turbo on one row and one pair of rows.
func TestChroma(t *testing.T) {
	a, b := []uint8{10, 20, 40, 40}, []uint8{30, 20, 0, 41}
	for _, c := range []struct {
		name                string
		double, tall, lower bool
		want                []int32
	}{
		{"4:4:4", false, false, false, []int32{10, 20, 40, 40}},
		{"4:4:0 upper", false, true, false, []int32{15, 20, 30, 40}},
		{"4:4:0 lower", false, true, true, []int32{15, 20, 30, 40}},
		{"4:2:2", true, false, false, []int32{10, 13, 17, 25, 35, 40, 40, 40}},
		{"4:2:0", true, true, false, []int32{15, 16, 19, 22, 28, 33, 38, 40}},
	} {
		near, to := make([]int32, 4), make([]int32, len(c.want))
		upsampleRow(a, b, near, to, c.double, c.tall, c.lower)
		if d := cmp.Diff(c.want, to); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestPrepareLayouts(t *testing.T) {
	p := &bitmap{2, 1, 3, []uint8{0, 10, 20, 30, 40, 50}}
	for _, c := range []struct {
		layout, colour string
		want           []float32
	}{
		{"NCHW", "RGB", []float32{-1, 29, 4, 19, 5, 12.5}},
		{"NHWC", "RGB", []float32{-1, 4, 5, 29, 19, 12.5}},
		{"NCHW", "BGR", []float32{19, 49, 4, 19, 0, 7.5}},
	} {
		r := newPrepare(models.Preprocessing{Layout: c.layout, Color: c.colour, Scale: 1, Mean: []float64{1, 2, 0}, Std: []float64{1, 2, 4}})
		got := make([]float32, 6)
		r.write(p, got)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s %s: %s", c.layout, c.colour, d)
		}
	}
}

func TestCrop(t *testing.T) {
	p := &bitmap{3, 2, 1, []uint8{1, 2, 3, 4, 5, 6}}
	for _, c := range []struct {
		name                     string
		top, left, height, width int
		want                     []uint8
	}{
		{"inside", 0, 1, 2, 2, []uint8{2, 3, 5, 6}},
		{"around", -1, -1, 3, 5, []uint8{0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 4, 5, 6, 0}},
		{"outside", 5, 5, 1, 2, []uint8{0, 0}},
	} {
		if q := p.crop(c.top, c.left, c.height, c.width); !bytes.Equal(q.pix, c.want) {
			t.Errorf("%s: %v", c.name, q.pix)
		}
	}
}

// decodeImage decodes a file in memory.
func decodeImage(ctx context.Context, b []byte) (*bitmap, error) {
	h, err := readHeader(b, int64(len(b)), bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return h.decode(ctx, b)
}
