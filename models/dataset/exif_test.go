package dataset

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"slices"
	"testing"
)

// TestOrientation turns a image of eight grey values; the wanted rows are what each orientation of CIPA DC-008 means
// for rows 1 2 3 4 / 5 6 7 8: where row 0 and column 0 of the file belong.
func TestOrientation(t *testing.T) {
	p := &bitmap{4, 2, 1, []uint8{1, 2, 3, 4, 5, 6, 7, 8}}
	for o, want := range map[int][]uint8{
		1: {1, 2, 3, 4, 5, 6, 7, 8}, // row 0 top, column 0 left
		2: {4, 3, 2, 1, 8, 7, 6, 5}, // top, right
		3: {8, 7, 6, 5, 4, 3, 2, 1}, // bottom, right
		4: {5, 6, 7, 8, 1, 2, 3, 4}, // bottom, left
		5: {1, 5, 2, 6, 3, 7, 4, 8}, // left, top
		6: {5, 1, 6, 2, 7, 3, 8, 4}, // right, top
		7: {8, 4, 7, 3, 6, 2, 5, 1}, // right, bottom
		8: {4, 8, 3, 7, 2, 6, 1, 5}, // left, bottom
		9: {1, 2, 3, 4, 5, 6, 7, 8}, // undefined
	} {
		q := p.upright(o)
		if !slices.Equal(q.pix, want) || (o >= 5 && o <= 8) != (q.width == 2) {
			t.Errorf("orientation %d: %dx%d %v, want %v", o, q.height, q.width, q.pix, want)
		}
	}
}

// withExif puts an EXIF segment with an orientation behind the start of a JPEG file.
func withExif(file []byte, order binary.AppendByteOrder, mark string, orientation uint16) []byte {
	tiff := order.AppendUint16([]byte(mark), 42)
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, e := range [][2]uint16{{0x010f, 7}, {0x0112, orientation}} {
		tiff = order.AppendUint16(tiff, e[0])
		tiff = order.AppendUint16(tiff, 3)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, e[1])
		tiff = append(tiff, 0, 0)
	}
	body := append([]byte("Exif\x00\x00"), tiff...)
	out := append(slices.Clone(file[:2]), 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
	return append(append(out, body...), file[2:]...)
}

func TestExif(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 16, 8))
	for x := range 8 {
		for y := range 8 {
			m.SetGray(x, y, color.Gray{Y: 255}) // the left half is white
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	plain := b.Bytes()
	if orientation(plain) != 1 || orientation(nil) != 1 || orientation([]byte("\x89PNG")) != 1 {
		t.Error("an orientation where there is none")
	}
	for _, file := range [][]byte{withExif(plain, binary.LittleEndian, "II", 6), withExif(plain, binary.BigEndian, "MM", 6)} {
		if o := orientation(file); o != 6 {
			t.Fatalf("orientation %d, want 6", o)
		}
		f := files(t)
		f["a/x.jpg"] = memoryFile(file)
		f["b/y.jpg"] = memoryFile(plain)
		src, err := openFiles(f, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := src.fetch(t.Context(), 0, nil)
		if err != nil || s.bitmap.width != 8 || s.bitmap.height != 16 || s.bitmap.pix[0] < 200 || s.bitmap.pix[len(s.bitmap.pix)-1] > 50 {
			t.Errorf("%+v, %v", s.bitmap, err)
		}
		for cut := range file[:60] { // damage must not be read past
			orientation(file[:cut])
		}
	}
}
