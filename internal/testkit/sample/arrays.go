package sample

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
)

// NPZ writes an archive with one float array, as numpy.savez does.
func NPZ(t *testing.T, path, name string, shape tensor.Shape, values []float32) {
	t.Helper()
	dims := make([]string, len(shape))
	for i, n := range shape {
		dims[i] = fmt.Sprint(n, ",")
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", strings.Join(dims, " "))
	header += strings.Repeat(" ", 63-(len(header)+10)%64) + "\n"
	array := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	array = append(append(array, header...), tensor.From(shape, values).Raw...)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name + ".npy")
	if err == nil {
		_, err = w.Write(array)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	Write(t, path, b.Bytes())
}
