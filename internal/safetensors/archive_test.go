package safetensors

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
)

func TestSaveRefusesWrongShape(t *testing.T) {
	a := &Archive{Arrays: map[string]Array{"x": {Shape: tensor.Shape{3}, Data: []float32{1}}}}
	if err := a.Save(filepath.Join(t.TempDir(), "x")); err == nil {
		t.Error("saved an array that does not fit its shape")
	}
}

func archive(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestLoadRejects(t *testing.T) {
	tests := []struct {
		name, want string
		data       []byte
	}{
		{"empty file", "EOF", nil},
		{"length beyond the file", "does not fit", binary.LittleEndian.AppendUint64(nil, 1<<40)},
		{"length that overflows", "does not fit", binary.LittleEndian.AppendUint64(nil, math.MaxUint64)},
		{"no JSON", "header", archive("{", 0)},
		{"other type", "only F32 and I8", archive(`{"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, 4)},
		{"codes of another size", "cannot be", archive(`{"x":{"dtype":"I8","shape":[2],"data_offsets":[0,8]}}`, 8)},
		{"negative dimension", "cannot be", archive(`{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4)},
		{"overflowing shape", "cannot be", archive(`{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0)},
		{"beyond the data", "cannot be", archive(`{"x":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}`, 8)},
		{"reversed offsets", "cannot be", archive(`{"x":{"dtype":"F32","shape":[0],"data_offsets":[4,0]}}`, 4)},
		{"gap", "starts at", archive(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8)},
		{"overlap", "starts at", archive(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4)},
		{"rest", "belong to no array", archive(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8)},
		{"metadata of another type", "metadata", archive(`{"__metadata__":{"a":1}}`, 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// FuzzRead wants an error, or an archive that is the same after it was written and read again.
func FuzzRead(f *testing.F) {
	f.Add(archive(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4))
	f.Add(archive(`{"x":{"dtype":"I8","shape":[3],"data_offsets":[0,3]}}`, 3))
	f.Add(archive(`{"__metadata__":{"a":"b"}}`, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for name, v := range a.Arrays {
			if v.Shape.Numel() != v.Len() {
				t.Errorf("array %q of shape %s has %d elements", name, v.Shape, v.Len())
			}
		}
		first := written(t, a)
		again, err := Read(bytes.NewReader(first), int64(len(first)))
		if err != nil {
			t.Fatalf("does not read back: %v", err)
		}
		if second := written(t, again); !bytes.Equal(first, second) || len(a.Arrays) != len(again.Arrays) {
			t.Fatalf("the second writing differs: %q, %q", first, second)
		}
	})
}

func written(t *testing.T, a *Archive) []byte {
	t.Helper()
	header, names, err := encodeHeader(a)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := writeArchive(&b, header, names, a.Arrays); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
