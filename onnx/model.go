package onnx

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// Model is one ONNX document.
type Model struct {
	IRVersion int64 // version of the file format
	Graph     *Graph

	pb       *onnxpb.ModelProto
	external []External
}

// External lists the files beside the model that tensors were read from when it was loaded.
func (m *Model) External() []External { return append([]External(nil), m.external...) }

// New makes an empty model for an operator set version of the default domain, with the oldest IR version that
// allows it.
func New(opset int64) *Model {
	m := link(&onnxpb.ModelProto{
		IrVersion:    proto.Int64(irVersion(opset)),
		ProducerName: proto.String("mpqc"),
		Graph:        &onnxpb.GraphProto{Name: proto.String("main")},
	})
	m.SetOpset("", opset)
	return m
}

// irVersion is the IR version that was current when the operator set was released (ONNX, docs/Versioning.md).
func irVersion(opset int64) int64 {
	switch {
	case opset <= 14:
		return 7
	case opset <= 18:
		return 8
	case opset <= 20:
		return 9
	case opset <= 22:
		return 10
	default:
		return 11
	}
}

// link builds the document over pb, which it owns from now on.
func link(pb *onnxpb.ModelProto) *Model {
	m := &Model{IRVersion: pb.GetIrVersion(), pb: pb}
	m.Graph = linkGraph(pb.GetGraph())
	return m
}

// Clone returns an independent copy. Nodes and values of the copy are other objects of the same names; the bytes of its
// initializers are the same ones, which nobody writes to.
func (m *Model) Clone() *Model {
	m.sync()
	return link(cloneShared(m.pb))
}

// cloneShared copies a model but for the raw data of its initializers. The original is only read.
func cloneShared(pb *onnxpb.ModelProto) *onnxpb.ModelProto {
	model, graph := &onnxpb.ModelProto{}, &onnxpb.GraphProto{}
	shallow(model, pb, "graph")
	shallow(graph, pb.Graph, "initializer")
	model = proto.Clone(model).(*onnxpb.ModelProto)
	model.Graph = proto.Clone(graph).(*onnxpb.GraphProto)
	model.Graph.Initializer = make([]*onnxpb.TensorProto, len(pb.Graph.Initializer))
	for i, t := range pb.Graph.Initializer {
		rest := &onnxpb.TensorProto{}
		shallow(rest, t, "raw_data")
		rest = proto.Clone(rest).(*onnxpb.TensorProto)
		rest.RawData = t.RawData
		model.Graph.Initializer[i] = rest
	}
	return model
}

// shallow sets all fields of dst but one to those of src, which share what they point to.
func shallow(dst, src proto.Message, except protoreflect.Name) {
	to, from := dst.ProtoReflect(), src.ProtoReflect()
	from.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Name() != except {
			to.Set(f, v)
		}
		return true
	})
	to.SetUnknown(from.GetUnknown())
}

// sync brings pb up to date with what is kept outside it. It writes nothing if nothing was edited.
func (m *Model) sync() {
	if m.pb.GetIrVersion() != m.IRVersion {
		m.pb.IrVersion = proto.Int64(m.IRVersion)
	}
	if m.Graph.dirty {
		m.Graph.pb.Node = make([]*onnxpb.NodeProto, 0, m.Graph.count)
		for n := m.Graph.first; n != nil; n = n.next {
			m.Graph.pb.Node = append(m.Graph.pb.Node, n.pb)
		}
		m.Graph.bury()
		m.Graph.dirty = false
	}
	if m.pb.Graph != m.Graph.pb {
		m.pb.Graph = m.Graph.pb
	}
}

// Opset is the operator set version the model imports for a domain, 0 if it does not. "" and "ai.onnx" are the same.
func (m *Model) Opset(domain string) int64 {
	for _, o := range m.pb.OpsetImport {
		if sameDomain(o.GetDomain(), domain) {
			return o.GetVersion()
		}
	}
	return 0
}

// SetOpset sets the version imported for a domain, adding the import if there is none.
func (m *Model) SetOpset(domain string, version int64) {
	for _, o := range m.pb.OpsetImport {
		if sameDomain(o.GetDomain(), domain) {
			o.Version = proto.Int64(version)
			return
		}
	}
	m.pb.OpsetImport = append(m.pb.OpsetImport,
		&onnxpb.OperatorSetIdProto{Domain: proto.String(domain), Version: proto.Int64(version)})
}

func sameDomain(a, b string) bool { return a == b || defaultDomain(a) && defaultDomain(b) }

func defaultDomain(d string) bool { return d == "" || d == "ai.onnx" }

// Producer names the tool that wrote the model, with its version.
func (m *Model) Producer() (name, version string) {
	return m.pb.GetProducerName(), m.pb.GetProducerVersion()
}

// SetProducer names the tool that wrote the model, with its version.
func (m *Model) SetProducer(name, version string) {
	m.pb.ProducerName, m.pb.ProducerVersion = proto.String(name), proto.String(version)
}

// Metadata looks up an entry of the model's metadata_props.
func (m *Model) Metadata(key string) (string, bool) {
	for _, e := range m.pb.MetadataProps {
		if e.GetKey() == key {
			return e.GetValue(), true
		}
	}
	return "", false
}

// SetMetadata sets an entry of the model's metadata_props.
func (m *Model) SetMetadata(key, value string) {
	for _, e := range m.pb.MetadataProps {
		if e.GetKey() == key {
			e.Value = proto.String(value)
			return
		}
	}
	m.pb.MetadataProps = append(m.pb.MetadataProps,
		&onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(value)})
}
