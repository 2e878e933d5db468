package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mpqc/mpqc/internal/tensor"
)

// parseNPY reads one array of NumPy's .npy format, versions 1 to 3 (numpy.lib.format): magic, version, length of the
// header, a Python dictionary, the data. Fortran order and big-endian numbers are refused.
func parseNPY(b []byte) (*tensor.Tensor, error) {
	if !bytes.HasPrefix(b, []byte("\x93NUMPY")) || len(b) < 12 {
		return nil, errors.New("not a NumPy array")
	}
	start := 10
	length := int(binary.LittleEndian.Uint16(b[8:]))
	if b[6] > 1 {
		start, length = 12, int(binary.LittleEndian.Uint32(b[8:]))
	}
	if length < 0 || length > len(b)-start {
		return nil, errors.New("the header is cut off")
	}
	dtype, shape, err := npyHeader(string(b[start : start+length]))
	if err != nil {
		return nil, err
	}
	data := b[start+length:]
	if n := 1; len(data) > 0 || shape.Numel() != 0 { // the product of dimensions must not wrap around
		for _, d := range shape {
			if d > 0 && n > len(data)/d {
				return nil, fmt.Errorf("shape %s does not fit %d bytes", shape, len(data))
			}
			n *= max(d, 1)
		}
	}
	return tensor.New(dtype, shape, data)
}

// npyHeader parses the dictionary of a header.
func npyHeader(h string) (tensor.DType, tensor.Shape, error) {
	descr := regexp.MustCompile(`'descr':\s*'([^']*)'`).FindStringSubmatch(h)
	order := regexp.MustCompile(`'fortran_order':\s*(True|False)`).FindStringSubmatch(h)
	dims := regexp.MustCompile(`'shape':\s*\(([^)]*)\)`).FindStringSubmatch(h)
	if descr == nil || order == nil || dims == nil {
		return 0, nil, fmt.Errorf("header %q is not understood", h)
	}
	if order[1] == "True" {
		return 0, nil, errors.New("the array is in Fortran order; save numpy.ascontiguousarray of it")
	}
	dtype, ok := map[string]tensor.DType{
		"<f2": tensor.Float16, "<f4": tensor.Float32, "<f8": tensor.Float64, "|u1": tensor.Uint8, "|i1": tensor.Int8,
		"<i2": tensor.Int16, "<u2": tensor.Uint16, "<i4": tensor.Int32, "<u4": tensor.Uint32, "<i8": tensor.Int64, "<u8": tensor.Uint64,
	}[descr[1]]
	if !ok {
		return 0, nil, fmt.Errorf("element type %q is not read", descr[1])
	}
	shape := tensor.Shape{}
	for part := range strings.SplitSeq(dims[1], ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		d, err := strconv.Atoi(part)
		if err != nil || d < 0 {
			return 0, nil, fmt.Errorf("shape (%s) is not understood", dims[1])
		}
		shape = append(shape, d)
	}
	return dtype, shape, nil
}
