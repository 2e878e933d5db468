package onnx

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// checker runs testdata/backend.py, a program of the ONNX project's own Python package.
func checker(t *testing.T, args ...string) []byte {
	t.Helper()
	python := testkit.Python(t)
	out, err := exec.CommandContext(t.Context(), python, append([]string{"testdata/backend.py"}, args...)...).Output()
	if err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	return out
}

// verdicts are the errors of ONNX's checker by file, "" for none.
func verdicts(t *testing.T, dir string) map[string]string {
	t.Helper()
	var found map[string]string
	if err := json.Unmarshal(checker(t, "check", dir), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestBackendModels: every model of the ONNX project's backend tests is sound to Validate as it is to ONNX's checker,
// and comes back from a file field by field, but for the names that Parse gives to nodes.
func TestBackendModels(t *testing.T) {
	dir, saved := t.TempDir(), t.TempDir()
	checker(t, "collect", dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil || len(files) < 1500 {
		t.Fatalf("%d models, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		m, err := Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := m.Validate(); err != nil {
			t.Errorf("%s: validate: %v", name, err)
		}
		path := filepath.Join(saved, name)
		data, err := m.Marshal() // and not Save, which waits for the disk
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		write(t, path, data)
		before, after := readProto(t, file), readProto(t, path)
		adoptNames(before.Graph, after.Graph)
		if !proto.Equal(before, after) {
			t.Errorf("%s: the message changed", name)
		}
		again, err := Load(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if !proto.Equal(after, again.pb) {
			t.Errorf("%s: the second reading differs", name)
		}
	}
	for _, folder := range []string{dir, saved} {
		found := verdicts(t, folder)
		if len(found) != len(files) {
			t.Errorf("%d verdicts on %d models", len(found), len(files))
		}
		for name, verdict := range found {
			if verdict != "" {
				t.Errorf("%s: the checker says %s", name, verdict)
			}
		}
	}
}

func readProto(t *testing.T, path string) *onnxpb.ModelProto {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// adoptNames names the nodes of a graph that have no name, or that of an earlier one, as the other does.
func adoptNames(g, from *onnxpb.GraphProto) {
	seen := map[string]bool{}
	for i, n := range g.Node {
		if n.GetName() == "" || seen[n.GetName()] {
			n.Name = from.Node[i].Name
		}
		seen[n.GetName()] = true
	}
}

// TestDamagedModels: what ONNX's checker rejects, Load or Validate reject, and what it accepts they accept. Where they
// differ, differs says why.
func TestDamagedModels(t *testing.T) {
	dir := t.TempDir()
	ours := map[string]error{}
	for _, c := range damages() {
		pb := proto.Clone(sample(t).pb).(*onnxpb.ModelProto)
		pb.Graph.Node = append(pb.Graph.Node, &onnxpb.NodeProto{
			Name: proto.String("soft"), OpType: proto.String("Softmax"), Input: []string{"a"}, Output: []string{"s"},
			Attribute: []*onnxpb.AttributeProto{IntAttr("axis", 1).pb},
		})
		c.damage(pb)
		file := strings.ReplaceAll(c.name, " ", "-") + ".onnx"
		write(t, filepath.Join(dir, file), encode(t, pb))
		m, err := Load(filepath.Join(dir, file))
		if err == nil {
			err = m.Validate()
		}
		ours[file] = err
	}
	theirs := verdicts(t, dir)
	for _, c := range damages() {
		t.Run(c.name, func(t *testing.T) {
			file := strings.ReplaceAll(c.name, " ", "-") + ".onnx"
			verdict, known := theirs[file]
			if !known {
				t.Fatal("no verdict")
			}
			if differ := (ours[file] == nil) != (verdict == ""); differ != (c.differs != "") {
				t.Errorf("checker: %q\nvalidate: %v\nstated difference: %q", verdict, ours[file], c.differs)
			}
			if c.sound != (ours[file] == nil) {
				t.Errorf("validate: %v", ours[file])
			}
		})
	}
}

// TestAttributeKinds: the types that Validate wants of attributes are those of every version of every operator.
func TestAttributeKinds(t *testing.T) {
	var schemas map[string][]string
	if err := json.Unmarshal(checker(t, "attributes", "."), &schemas); err != nil {
		t.Fatal(err)
	}
	for name, typ := range attrTypes() {
		if got := schemas[name]; !slices.Equal(got, []string{typ.String()}) {
			t.Errorf("attribute %q is %v in ONNX, %s here", name, got, typ)
		}
	}
}

// damage is one change to the sample, to which a Softmax of axis 1 is added as the last node.
type damage struct {
	name    string
	damage  func(*onnxpb.ModelProto)
	sound   bool   // for Validate
	differs string // why the checker says otherwise
}

func damages() []damage { return slices.Concat(graphDamages(), nodeDamages(), tensorDamages()) }

func graphDamages() []damage {
	type model = onnxpb.ModelProto
	return []damage{
		{"nothing", func(*model) {}, true, ""},
		{"no graph", func(m *model) { m.Graph = nil }, false, ""},
		{"no IR version", func(m *model) { m.IrVersion = nil }, false, ""},
		{"IR version of the future", func(m *model) { m.IrVersion = proto.Int64(9999) }, true, "runtimes that do not know a version say so; most of its changes do not matter here"},
		{"no operator set", func(m *model) { m.OpsetImport = nil }, false, ""},
		{"other operator set alone", func(m *model) { m.OpsetImport[0].Domain = proto.String("com.microsoft") }, false, ""},
		{"operator set of the future", func(m *model) { m.OpsetImport[0].Version = proto.Int64(9999) }, true, ""},
		{"operator set without version", func(m *model) { m.OpsetImport[0].Version = nil }, false, ""},
		{"graph without a name", func(m *model) { m.Graph.Name = nil }, true, "runtimes do not need one"},
		{"no outputs", func(m *model) { m.Graph.Output = nil }, false, "a network without outputs computes nothing"},
		{"output of nothing", func(m *model) { m.Graph.Output[0].Name = proto.String("z") }, false, ""},
		{"output twice", func(m *model) { m.Graph.Output = append(m.Graph.Output, m.Graph.Output[0]) }, false, "results are told apart by name"},
		{"output without a name", func(m *model) { m.Graph.Output[0].Name = nil }, false, ""},
		{"input without a name", func(m *model) { m.Graph.Input[0].Name = nil }, false, ""},
		{"input without a type", func(m *model) { m.Graph.Input[0].Type = nil }, false, ""},
		{"input without an element type", func(m *model) { m.Graph.Input[0].Type.GetTensorType().ElemType = nil }, false, ""},
		{"input twice", func(m *model) { m.Graph.Input = append(m.Graph.Input, m.Graph.Input[0]) }, false, ""},
		{"output without a type", func(m *model) { m.Graph.Output[0].Type = nil }, true, "shape inference finds it, and runtimes do"},
		{"repeated metadata", func(m *model) {
			for range 2 {
				m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String("k"), Value: proto.String("v")})
			}
		}, true, "runtimes accept it; the first entry counts"},
	}
}

func nodeDamages() []damage {
	type model = onnxpb.ModelProto
	soft := func(m *model) *onnxpb.NodeProto { return m.Graph.Node[3] }
	return []damage{
		{"input of nothing", func(m *model) { m.Graph.Node[0].Input[1] = "v" }, false, ""},
		{"output name twice", func(m *model) { m.Graph.Node[1].Output[0] = "a" }, false, ""},
		{"output name of an input", func(m *model) { soft(m).Output[0] = "x" }, false, ""},
		{"output name of an initializer", func(m *model) { soft(m).Output[0] = "w" }, false, ""},
		{"no operator", func(m *model) { m.Graph.Node[1].OpType = nil }, false, ""},
		{"unknown operator", func(m *model) { m.Graph.Node[1].OpType = proto.String("Rilu") }, true, "operators are checked where they are used: what is unknown cannot be trained, and decode says so"},
		{"unknown domain", func(m *model) { m.Graph.Node[1].Domain = proto.String("elsewhere") }, false, ""},
		{"unsorted", func(m *model) { m.Graph.Node[0], m.Graph.Node[1] = m.Graph.Node[1], m.Graph.Node[0] }, false, ""},
		{"cycle", func(m *model) { m.Graph.Node[0].Input[0] = "b" }, false, ""},
		{"own output", func(m *model) { m.Graph.Node[0].Input[0] = "a" }, false, ""},
		{"too many inputs", func(m *model) { m.Graph.Node[1].Input = []string{"a", "a"} }, true, "operators are checked where they are used; the last inputs are not read"},
		{"no input", func(m *model) { m.Graph.Node[1].Input = nil }, true, "operators are checked where they are used: pass.Normalise refuses it"},
		{"two outputs", func(m *model) { m.Graph.Node[1].Output = []string{"b", "bb"} }, true, "operators are checked where they are used: nothing reads the second"},
		{"node name twice", func(m *model) { m.Graph.Node[1].Name = m.Graph.Node[0].Name }, true, ""},
		{"attribute of another type", func(m *model) { soft(m).Attribute[0] = FloatAttr("axis", 1).pb }, false, ""},
		{"attribute of another type than stated", func(m *model) { soft(m).Attribute[0].Type = onnxpb.AttributeProto_FLOAT.Enum() }, false, ""},
		{"attribute without a type", func(m *model) { soft(m).Attribute[0].Type = nil }, false, ""},
		{"attribute without a name", func(m *model) { soft(m).Attribute[0].Name = nil }, false, ""},
		{"attribute without a value", func(m *model) { soft(m).Attribute[0].I = nil }, true, ""},
		{"attribute of two values", func(m *model) { soft(m).Attribute[0].F = proto.Float32(1) }, false, ""},
		{"attribute twice", func(m *model) { soft(m).Attribute = append(soft(m).Attribute, soft(m).Attribute[0]) }, false, ""},
		{"unknown attribute", func(m *model) { soft(m).Attribute[0].Name = proto.String("achse") }, true, "operators are checked where they are used; operator sets to come may have it"},
		{"reference to an attribute", func(m *model) { soft(m).Attribute[0].RefAttrName = proto.String("axis") }, true, ""},
		{"subgraph that reads nothing", func(m *model) {
			soft(m).Attribute[0] = graphAttr(&onnxpb.GraphProto{
				Name: proto.String("g"), Node: []*onnxpb.NodeProto{{OpType: proto.String("Relu"), Input: []string{"gone"}, Output: []string{"r"}}},
				Output: []*onnxpb.ValueInfoProto{{Name: proto.String("r"), Type: tensorType(nil, 1, nil)}},
			})
		}, false, ""},
	}
}

func tensorDamages() []damage {
	type model = onnxpb.ModelProto
	w := func(m *model) *onnxpb.TensorProto { return m.Graph.Initializer[0] }
	external := func(m *model, entries ...string) {
		w(m).RawData, w(m).DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
		for i := 0; i < len(entries); i += 2 {
			w(m).ExternalData = append(w(m).ExternalData,
				&onnxpb.StringStringEntryProto{Key: proto.String(entries[i]), Value: proto.String(entries[i+1])})
		}
	}
	return []damage{
		{"raw data too short", func(m *model) { w(m).RawData = w(m).RawData[:11] }, false, ""},
		{"raw data too long", func(m *model) { w(m).RawData = append(w(m).RawData, 0) }, false, "runtimes refuse it, too"},
		{"no data", func(m *model) { w(m).RawData = nil }, false, ""},
		{"data of 100 GB", func(m *model) { w(m).Dims = []int64{25_000_000_000} }, false, ""},
		{"dimensions that overflow", func(m *model) { w(m).Dims = []int64{1 << 32, 1 << 32, 3} }, false, ""},
		{"negative dimension", func(m *model) { w(m).Dims = []int64{-3} }, false, ""},
		{"two kinds of data", func(m *model) { w(m).FloatData = []float32{1, 2, 3} }, false, ""},
		{"list of another type", func(m *model) { w(m).RawData, w(m).Int64Data = nil, []int64{1, 2, 3} }, false, ""},
		{"list too short", func(m *model) { w(m).RawData, w(m).FloatData = nil, []float32{1, 2} }, false, ""},
		{"no element type", func(m *model) { w(m).DataType = nil }, false, ""},
		{"unknown element type", func(m *model) { w(m).DataType = proto.Int32(99) }, false, "runtimes refuse it, too"},
		{"strings in raw form", func(m *model) { w(m).DataType = proto.Int32(8) }, false, ""},
		{"initializer without a name", func(m *model) {
			m.Graph.Initializer = append(m.Graph.Initializer, &onnxpb.TensorProto{Dims: []int64{1}, DataType: proto.Int32(1), FloatData: []float32{1}})
		}, false, ""},
		{"initializer twice", func(m *model) { m.Graph.Initializer = append(m.Graph.Initializer, w(m)) }, false, ""},
		{"segment", func(m *model) { w(m).Segment = &onnxpb.TensorProto_Segment{Begin: proto.Int64(0), End: proto.Int64(1)} }, true, ""},
		{"external without location", func(m *model) { external(m, "offset", "0") }, false, ""},
		{"external that is missing", func(m *model) { external(m, "location", "gone.bin") }, false, ""},
		{"external in another folder", func(m *model) { external(m, "location", "../w.bin") }, false, ""},
	}
}
