package onnx

import (
	"bytes"
	"fmt"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// Load reads a model file, and the files beside it that hold its external data.
func Load(path string) (*Model, error) {
	data, err := readModel(path)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err) // the error of the system names the file
	}
	m, err := Parse(data, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", path, err)
	}
	return m, nil
}

// readModel reads a file that can be a model by its kind and size.
func readModel(path string) ([]byte, error) { return file.Read(path, file.DocumentMost) }

// maxDepth bounds messages within messages, three levels for each subgraph within another. It is that of the readers in
// C++, those of onnx and onnxruntime among them.
const maxDepth = 100

// Parse reads a model from memory; dir is the folder where its external data lies, "" if there is none. The sizes
// that tensors declare are checked against the data that is there. Whether the graph is sound is left to Validate.
//
// Two things differ from what was read: nodes without a name of their own get one, and external data becomes part of
// the model.
func Parse(data []byte, dir string) (*Model, error) {
	if err := checkForm(data); err != nil {
		return nil, err
	}
	pb := &onnxpb.ModelProto{}
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(data, pb); err != nil {
		return nil, fmt.Errorf("the file is damaged inside: %w", err)
	}
	if pb.Graph == nil {
		return nil, fmt.Errorf("the model has no graph")
	}
	if err := checkMessages(pb); err != nil {
		return nil, err
	}
	found, err := readExternal(pb, dir)
	if err != nil {
		return nil, err
	}
	m := link(pb)
	m.external = found
	return m, nil
}

// checkMessages compares declared with actual sizes of all tensors, before anything is read or allocated for them.
func checkMessages(pb *onnxpb.ModelProto) error {
	return walkTensors(pb, func(t *onnxpb.TensorProto) error {
		if err := checkTensor(t); err != nil {
			return fmt.Errorf("tensor %q: %w", t.GetName(), err)
		}
		return nil
	})
}

// checkForm tells files that are no models, and models that were cut short, from whole ones by walking the outermost
// fields.
func checkForm(data []byte) error {
	if len(data) == 0 {
		return fmt.Errorf("the file is empty")
	}
	if what := foreign(data); what != "" {
		return fmt.Errorf("not an ONNX model: %s", what)
	}
	seen := 0
	for rest := data; len(rest) > 0; seen++ {
		num, typ, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return broken(seen)
		}
		if want, ok := modelFields()[num]; ok && want != typ || seen == 0 && !ok {
			return fmt.Errorf("not an ONNX model: its first bytes mean something else")
		}
		rest = rest[n:]
		if n = protowire.ConsumeFieldValue(num, typ, rest); n < 0 {
			return broken(seen)
		}
		rest = rest[n:]
	}
	return nil
}

// broken words the error of a file that ends within a field, after some that were whole.
func broken(seen int) error {
	if seen == 0 {
		return fmt.Errorf("not an ONNX model, or one that was cut off right at the start")
	}
	return fmt.Errorf("the file is truncated: it ends in the middle of a field; copy or download it again")
}

// modelFields are the wire types of ModelProto's fields.
func modelFields() map[protowire.Number]protowire.Type {
	fields := map[protowire.Number]protowire.Type{1: protowire.VarintType, 5: protowire.VarintType}
	for _, n := range []protowire.Number{2, 3, 4, 6, 7, 8, 14, 20, 25, 26} {
		fields[n] = protowire.BytesType
	}
	return fields
}

// foreign recognises formats that are taken for ONNX by mistake, and says what to do.
func foreign(data []byte) string {
	has := func(at int, magic string) bool { return len(data) >= at && bytes.HasPrefix(data[at:], []byte(magic)) }
	switch {
	case has(0, "version https://git-lfs"):
		return "this is a Git LFS pointer; run git lfs pull to get the file itself"
	case has(0, "PK\x03\x04"):
		return "this is a zip archive; unpack it, or export the model if it is a PyTorch checkpoint (torch.onnx.export)"
	case has(0, "\x89HDF"):
		return "this is an HDF5 file; convert the model to ONNX first (tf2onnx)"
	case has(0, "\x1f\x8b"):
		return "this is a gzip file; unpack it first"
	case has(0, "\x80\x02"), has(0, "\x80\x04"):
		return "this is a Python pickle; export the model to ONNX first (torch.onnx.export)"
	case has(4, "TFL3"):
		return "this is a TensorFlow Lite model; convert it to ONNX first (tf2onnx)"
	case has(4, "ORTM"):
		return "this is onnxruntime's own format; use the .onnx file it was made from"
	case has(0, "<"), has(0, "{"):
		return "this is a text file (a web page or JSON), perhaps the answer of a failed download"
	}
	return ""
}
