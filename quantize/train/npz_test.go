package train

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// readNPZ reads float64 and int64 arrays of a NumPy archive as flat float64 slices.
func readNPZ(t *testing.T, path string) map[string][]float64 {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := map[string][]float64{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(f.Name, ".npy")
		if out[name], err = parseNPY(data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return out
}

var npyShape = regexp.MustCompile(`'shape': \(([0-9, ]*)\)`)

func parseNPY(b []byte) ([]float64, error) {
	if len(b) < 10 || !bytes.HasPrefix(b, []byte("\x93NUMPY\x01")) {
		return nil, fmt.Errorf("no NumPy array of version 1")
	}
	n := int(binary.LittleEndian.Uint16(b[8:]))
	header, data := string(b[10:10+n]), b[10+n:]
	m := npyShape.FindStringSubmatch(header)
	if m == nil || !strings.Contains(header, "'fortran_order': False") {
		return nil, fmt.Errorf("header %q", header)
	}
	count := 1
	for _, d := range strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' }) {
		k, err := strconv.Atoi(d)
		if err != nil {
			return nil, err
		}
		count *= k
	}
	out := make([]float64, count)
	switch {
	case strings.Contains(header, "'<f8'"):
		_, err := binary.Decode(data, binary.LittleEndian, out)
		return out, err
	case strings.Contains(header, "'<i8'"):
		ints := make([]int64, count)
		_, err := binary.Decode(data, binary.LittleEndian, ints)
		for i, v := range ints {
			out[i] = float64(v)
		}
		return out, err
	default:
		return nil, fmt.Errorf("header %q", header)
	}
}
