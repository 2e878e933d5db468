package onnx

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// externalSample moves the weights of the sample to 12 bytes at offset 4 of a file.
func externalSample(t testing.TB, entries ...string) *onnxpb.ModelProto {
	t.Helper()
	pb := sample(t).pb
	w := pb.Graph.Initializer[0]
	w.RawData, w.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
	for i := 0; i < len(entries); i += 2 {
		w.ExternalData = append(w.ExternalData,
			&onnxpb.StringStringEntryProto{Key: proto.String(entries[i]), Value: proto.String(entries[i+1])})
	}
	return pb
}

func TestExternalData(t *testing.T) {
	raw := []byte{9, 9, 9, 9}
	for _, f := range []float32{4, 5, 6} {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	for _, c := range []struct {
		name    string
		entries []string
		dims    []int64
		err     string
	}{
		{"whole entry", []string{"location", "sub/w.bin", "offset", "4", "length", "12", "checksum", "x"}, nil, ""},
		{"no length", []string{"location", "sub/w.bin", "offset", "4"}, nil, ""},
		{"missing file", []string{"location", "gone.bin"}, nil, "gone.bin is missing: copy it"},
		{"no location", []string{"offset", "4"}, nil, "names no file"},
		{"parent folder", []string{"location", "../secret.bin"}, nil, "leaves the model's folder"},
		{"absolute path", []string{"location", "/etc/passwd"}, nil, "leaves the model's folder"},
		{"link out of the folder", []string{"location", "link.bin"}, nil, "link.bin"},
		{"a folder", []string{"location", "sub"}, nil, "not a regular file"},
		{"bad offset", []string{"location", "sub/w.bin", "offset", "-4"}, nil, "not a size"},
		{"offset beyond the end", []string{"location", "sub/w.bin", "offset", "999"}, nil, "ends too early"},
		{"length differs", []string{"location", "sub/w.bin", "length", "13"}, nil, "needs 12 bytes, the entry says 13"},
		{"100 GB of 16 bytes", []string{"location", "sub/w.bin"}, []int64{25_000_000_000}, "ends too early: 100000000000 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			outer := t.TempDir()
			dir := filepath.Join(outer, "model")
			write(t, filepath.Join(dir, "sub", "w.bin"), raw)
			write(t, filepath.Join(outer, "secret.bin"), raw)
			if err := os.Symlink(filepath.Join("..", "secret.bin"), filepath.Join(dir, "link.bin")); err != nil {
				t.Skip(err)
			}
			pb := externalSample(t, c.entries...)
			if c.dims != nil {
				pb.Graph.Initializer[0].Dims = c.dims
			}
			path := filepath.Join(dir, "m.onnx")
			write(t, path, encode(t, pb))
			m, err := Load(path)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), `tensor "w"`) {
					t.Fatalf("error %v, want one about tensor w with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f, err := tensor.Floats(m.Graph.Value("w").Const()); err != nil || f[0] != 4 || f[2] != 6 {
				t.Errorf("read %v, %v", f, err)
			}
			alone := filepath.Join(t.TempDir(), "alone.onnx") // saved elsewhere, it needs no other file
			if err := m.Save(alone); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(alone); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := Parse(encode(t, externalSample(t, "location", "w.bin")), ""); err == nil || !strings.Contains(err.Error(), "not read from a folder") {
		t.Errorf("from memory: %v", err)
	}
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
