package onnx

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// FuzzRoundTrip wants an error, or a document that is the same after it was saved elsewhere and read again, with
// external data as part of it. Data from outside of the model's folder must not get in.
func FuzzRoundTrip(f *testing.F) {
	for _, entries := range [][]string{
		nil,
		{"location", "w.bin"},
		{"location", "w.bin", "offset", "4", "length", "12"},
		{"location", "w.bin", "offset", "9223372036854775807"},
		{"location", "../secret.bin"},
		{"location", "link.bin"},
		{"location", "sub/../../secret.bin"},
		{"location", "/proc/self/environ"},
		{"location", "w.bin", "length", "100000000000"},
		{"location", "."},
	} {
		f.Add(encode(f, externalSample(f, entries...)), bytes.Repeat([]byte{1, 2, 3, 4}, 8))
	}
	f.Add(encode(f, sample(f).pb), []byte(nil))
	f.Add(encode(f, loop().pb), []byte(nil))
	secret := []byte("secret of twelve bytes and more")
	outer := f.TempDir()
	dir := filepath.Join(outer, "model")
	write(f, filepath.Join(outer, "secret.bin"), secret)
	write(f, filepath.Join(dir, "sub", "w.bin"), secret)
	if err := os.Symlink(filepath.Join("..", "secret.bin"), filepath.Join(dir, "link.bin")); err != nil {
		f.Skip(err)
	}
	f.Fuzz(func(t *testing.T, data, external []byte) {
		write(t, filepath.Join(dir, "w.bin"), external)
		m, err := Parse(data, dir)
		if err != nil {
			return
		}
		for _, x := range m.External() {
			if strings.Contains(x.Path, "secret") || strings.Contains(x.Path, "link") {
				t.Fatalf("read %+v", x)
			}
		}
		sound := m.Validate() == nil
		first, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(first, "") // needs no other file
		if err != nil {
			t.Fatalf("does not read back: %v", err)
		}
		if !proto.Equal(m.pb, again.pb) {
			t.Fatal("the message changed")
		}
		if (again.Validate() == nil) != sound {
			t.Fatalf("sound before: %v, after: %v", sound, again.Validate())
		}
	})
}

// FuzzEdit wants edits that fail or keep the links as a fresh reading of the message would make them.
func FuzzEdit(f *testing.F) {
	f.Add([]byte{0, 1, 2, 1, 2, 3, 2, 0, 1, 3, 1, 1, 4, 2, 2, 5, 0, 3})
	f.Add([]byte{0, 0, 0, 1, 1, 1, 3, 4, 0, 2, 2, 2})
	f.Fuzz(func(t *testing.T, script []byte) {
		models := []*Model{sample(t), loop()}
		m := models[len(script)%2]
		for ; len(script) >= 3; script = script[3:] {
			edit(m.Graph, script[0], int(script[1]), int(script[2]))
		}
		assertLinked(t, m)
		_ = m.Graph.Sort()
		assertLinked(t, m)
	})
}

// edit applies one edit; those that are refused must leave the graph whole, which the caller checks.
func edit(g *Graph, kind byte, a, b int) {
	var vs []*Value
	for _, name := range slices.Sorted(maps.Keys(g.values)) {
		vs = append(vs, g.values[name])
	}
	if len(vs) == 0 || g.count == 0 {
		return
	}
	v, w, n := vs[a%len(vs)], vs[b%len(vs)], g.Nodes()[a%g.count]
	switch kind % 8 {
	case 0:
		_ = g.ReplaceUses(v, w)
	case 1:
		_ = g.ReplaceOutput(v, w)
	case 2:
		_ = g.Remove(n)
	case 3:
		_ = g.RenameValue(v, g.FreshName(w.Name()))
	case 4:
		n.SetInput(b%4, w)
	case 5:
		_, _ = g.AddNode(NodeSpec{Op: "Add", Inputs: []*Value{v, w}, Outputs: []string{g.FreshName("sum")}}, n)
	case 6:
		_ = g.RemoveInitializer(v)
	case 7:
		if !v.isOutput {
			_ = g.AddOutput(v)
		}
	}
}

// TestDepth: subgraphs within subgraphs are read as deep as other readers do, and then refused.
func TestDepth(t *testing.T) {
	for depth, ok := range map[int]bool{10: true, 30: true, 1000: false, 5000: false} {
		g := &onnxpb.GraphProto{Name: proto.String("deepest")}
		for range depth {
			g = &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{{OpType: proto.String("If"), Attribute: []*onnxpb.AttributeProto{graphAttr(g)}}}}
		}
		m := sample(t).pb
		m.Graph.Node = append(m.Graph.Node, g.Node...)
		if _, err := Parse(encode(t, m), ""); (err == nil) != ok {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
}

// TestSharedExternalData: tensors that share a place in a file are still bounded in sum, before any is read.
func TestSharedExternalData(t *testing.T) {
	dir := t.TempDir()
	pb := externalSample(t, "location", "w.bin")
	pb.Graph.Initializer[0].Dims = []int64{1 << 28}
	for range 2 {
		pb.Graph.Initializer = append(pb.Graph.Initializer, pb.Graph.Initializer[0])
	}
	write(t, filepath.Join(dir, "w.bin"), nil)
	if err := os.Truncate(filepath.Join(dir, "w.bin"), 1<<30); err != nil { // sparse
		t.Fatal(err)
	}
	if _, err := Parse(encode(t, pb), dir); err == nil || !strings.Contains(err.Error(), "exceed 2 GiB") {
		t.Error(err)
	}
}

// TestManyUnnamed: names for nodes that have none take time in proportion to their number.
func TestManyUnnamed(t *testing.T) {
	pb := sample(t).pb
	for range 200_000 { // 20 billion tries, were every number tried anew
		pb.Graph.Node = append(pb.Graph.Node, &onnxpb.NodeProto{OpType: proto.String("N")})
	}
	if m := link(pb); m.Graph.Node("N_199999") == nil {
		t.Error("no node N_199999")
	}
}
