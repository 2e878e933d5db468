package metadata

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/onnx"
)

// TestDescribe: what was written is read back, and what cannot be in a description is an error that names it.
func TestDescribe(t *testing.T) {
	m := onnx.New(17)
	if _, err := Describe(m); err == nil || !strings.Contains(err.Error(), "mpqc did not export it") {
		t.Errorf("a model of another program: %v", err)
	}
	d := Description{
		Profile: "ort",
		Layers:  []LayerBits{{Node: "/c", W: 4, A: 8}},
		Tensors: []TensorBits{{Tensor: "x", Node: "/c", Codes: "x/quantized", Bits: 8, Zero: 255}},
	}
	if err := d.Write(m); err != nil {
		t.Fatal(err)
	}
	got, err := Describe(m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		`{`:                                      PolicyKey,
		`{"layers":[{"node":"/c","w":0,"a":8}]}`: `node "/c" has 0 and 8 bits`,
		`{"layers":[{"node":"/c","w":8,"a":33}]}`:         `node "/c" has 8 and 33 bits`,
		`{"tensors":[{"tensor":"x","bits":0}]}`:           `tensor "x" has 0 bits`,
		`{"tensors":[{"tensor":"x","bits":2,"zero":4}]}`:  `tensor "x" has 2 bits and zero point 4`,
		`{"tensors":[{"tensor":"x","bits":2,"zero":-1}]}`: `tensor "x" has 2 bits and zero point -1`,
	} {
		m.SetMetadata(PolicyKey, text)
		if _, err := Describe(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

// TestEncodings: encodings are read back as they were written, and those that fit no tensor are an error.
func TestEncodings(t *testing.T) {
	x := NewEncodings()
	x.Activations = append(x.Activations, Encoding{Name: "x", Type: "PER_TENSOR", DType: "INT", Bits: 8, Scale: []float32{0.1}, Offset: []int{0}})
	data, err := x.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadEncodings(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(x, got); diff != "" {
		t.Error(diff)
	}
	m := onnx.New(17)
	if suffix, beside := Sidecar(m); suffix != "" || beside != nil {
		t.Errorf("a model without encodings has a file beside it: %q", suffix)
	}
	m.SetMetadata(EncodingsKey, string(data))
	if suffix, beside := Sidecar(m); suffix != ".encodings" || string(beside) != string(data) {
		t.Errorf("%q beside the model: %s", suffix, beside)
	}
	for _, entry := range []string{
		`{"name":"","bw":8,"scale":[1],"offset":[0]}`,
		`{"name":"w","bw":0,"scale":[1],"offset":[0]}`,
		`{"name":"w","bw":33,"scale":[1],"offset":[0]}`,
		`{"name":"w","bw":8,"scale":[],"offset":[]}`,
		`{"name":"w","bw":8,"scale":[1,1],"offset":[0]}`,
	} {
		if _, err := ReadEncodings([]byte(`{"version":"1.0.0","param_encodings":[` + entry + `]}`)); err == nil {
			t.Errorf("no error of %s", entry)
		}
	}
}
