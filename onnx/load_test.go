package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

func TestLoadErrors(t *testing.T) {
	good := encode(t, sample(t).pb)
	noGraph := encode(t, &onnxpb.ModelProto{IrVersion: proto.Int64(8)})
	negative := sample(t).pb
	negative.Graph.Initializer[0].Dims = []int64{-3}
	huge := sample(t).pb
	huge.Graph.Initializer[0].Dims = []int64{25_000_000_000}
	overflow := sample(t).pb
	overflow.Graph.Initializer[0].Dims = []int64{1 << 40, 1 << 40}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "is empty"},
		{"garbage", []byte("hello, world"), "not an ONNX model"},
		{"zip", []byte("PK\x03\x04rest"), "zip archive"},
		{"lfs pointer", []byte("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
		{"hdf5", []byte("\x89HDF\r\n"), "tf2onnx"},
		{"web page", []byte("<html>not found</html>"), "failed download"},
		{"tflite", []byte("\x1c\x00\x00\x00TFL3"), "TensorFlow Lite"},
		{"truncated", good[:len(good)-9], "truncated"},
		{"no graph", noGraph, "no graph"},
		{"negative dimension", encode(t, negative), `tensor "w": dimension -3 is negative`},
		{"100 GB from nothing", encode(t, huge), `tensor "w": type float32 and shape [25000000000] need 100000000000 bytes`},
		{"size overflows", encode(t, overflow), "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "broken.onnx")
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "broken.onnx") {
				t.Errorf("error %v, want one with %q and the file's name", err, c.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "missing.onnx")); err == nil || !strings.Contains(err.Error(), "missing.onnx") {
		t.Errorf("missing file: %v", err)
	}
}

// What no edit touches survives, be it known to this package or not.
func TestSaveIsLossless(t *testing.T) {
	pb := sample(t).pb
	pb.DocString = proto.String("about the model")
	pb.Graph.Node[0].DocString = proto.String("about the node")
	pb.Graph.ValueInfo = append(pb.Graph.ValueInfo, &onnxpb.ValueInfoProto{Name: proto.String("nowhere")})
	pb.Graph.QuantizationAnnotation = []*onnxpb.TensorAnnotation{{TensorName: proto.String("y")}}
	pb.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{
		Values: &onnxpb.TensorProto{Name: proto.String("sparse"), Dims: []int64{1}, DataType: proto.Int32(1), FloatData: []float32{3}},
		Dims:   []int64{5},
	}}
	pb.Graph.Initializer = append(pb.Graph.Initializer, &onnxpb.TensorProto{
		Name: proto.String("typed"), Dims: []int64{2}, DataType: proto.Int32(7), Int64Data: []int64{-1, 5},
	})
	pb.Functions = []*onnxpb.FunctionProto{{Name: proto.String("f"), Node: []*onnxpb.NodeProto{{OpType: proto.String("Relu")}}}}
	pb.TrainingInfo = []*onnxpb.TrainingInfoProto{{Algorithm: &onnxpb.GraphProto{Name: proto.String("step")}}}
	for _, m := range []proto.Message{pb, pb.Graph, pb.Graph.Node[0], pb.Graph.Initializer[0]} {
		m.ProtoReflect().SetUnknown(protoreflect.RawFields("\xfa\x3f\x03new")) // field 1023
	}
	data := encode(t, pb)
	m, err := Parse(data, "")
	if err != nil {
		t.Fatal(err)
	}
	v := m.Graph.Value("typed")
	if got, err := tensor.Values[int64](v.Const()); err != nil || got[0] != -1 || got[1] != 5 {
		t.Errorf("typed data: %v %v", got, err)
	}
	again, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	assertSameMessage(t, data, again)
	if err := v.SetConst(tensor.From(tensor.Shape{1}, []float32{2})); err != nil {
		t.Fatal(err)
	}
	if f, _ := tensor.Floats(v.Const()); f[0] != 2 || v.init.Int64Data != nil {
		t.Errorf("after SetConst: %v", v.init)
	}
}

func TestSave(t *testing.T) {
	m := sample(t)
	m.SetMetadata("k", "old")
	m.SetMetadata("k", "v")
	m.IRVersion = 9
	m.SetOpset("com.microsoft", 1)
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	for range 2 { // the second time over the first
		if err := m.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("temporary files are left: %v", entries)
	}
	back, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := back.Metadata("k"); s != "v" || !ok || back.IRVersion != 9 || back.Opset("com.microsoft") != 1 || back.Opset("ai.onnx") != 17 {
		t.Errorf("metadata %q, IR %d", s, back.IRVersion)
	}
	if err := m.Save(filepath.Join(path, "folder.onnx")); err == nil {
		t.Error("saving below a file succeeded")
	}
}

// FuzzParse wants an error or a document that can be read, checked, sorted, copied and saved, whatever the input.
func FuzzParse(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("\x08\x08\x3a\x00"))
	f.Add(encode(f, sample(f).pb))
	f.Add(encode(f, loop().pb))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data, "")
		if err != nil {
			return
		}
		_ = m.Validate()
		for _, v := range m.Graph.Initializers() {
			v.Const()
			v.Shape()
		}
		_ = m.Graph.Sort()
		first, err := m.Clone().Marshal()
		if err != nil {
			t.Fatal(err)
		}
		m.Graph.Prune()
		again, err := Parse(first, "")
		if err != nil {
			t.Fatalf("does not read back: %v", err)
		}
		second, err := again.Marshal()
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("the second round trip differs (%v)", err)
		}
	})
}

func encode(tb testing.TB, pb *onnxpb.ModelProto) []byte {
	tb.Helper()
	data, err := proto.Marshal(pb)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}
