package onnx

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// mentions finds by the name of a value what the document's lists say of it: searching them for every edit would make
// passes over large graphs quadratic.
type mentions struct {
	names  map[string][]**string   // fields that hold the name
	infos  map[string][]*valueInfo // entries of value_info
	inputs map[string][]*valueInfo // entries of the inputs
}

// mentioned is the index, made on first use.
func (g *Graph) mentioned() *mentions {
	if g.index != nil {
		return g.index
	}
	g.index = &mentions{map[string][]**string{}, map[string][]*valueInfo{}, map[string][]*valueInfo{}}
	for _, list := range [][]*valueInfo{g.pb.Input, g.pb.Output, g.pb.ValueInfo} {
		for _, info := range list {
			g.mention(&info.Name)
		}
	}
	for _, a := range g.pb.QuantizationAnnotation {
		g.mention(&a.TensorName)
		for _, p := range a.QuantParameterTensorNames {
			g.mention(&p.Value)
		}
	}
	for _, info := range g.pb.ValueInfo {
		g.index.infos[info.GetName()] = append(g.index.infos[info.GetName()], info)
	}
	for _, info := range g.pb.Input {
		g.index.inputs[info.GetName()] = append(g.index.inputs[info.GetName()], info)
	}
	return g.index
}

// mention records a field that holds the name of a value.
func (g *Graph) mention(field **string) {
	if g.index != nil && *field != nil {
		g.index.names[**field] = append(g.index.names[**field], field)
	}
}

// unmention is for a field that keeps the name when the value gets another one.
func (g *Graph) unmention(name string, field **string) {
	names := g.mentioned().names
	names[name] = slices.DeleteFunc(names[name], func(f **string) bool { return f == field })
}

// renameMentions renames a value in the lists that describe values.
func (g *Graph) renameMentions(old, name string) {
	m := g.mentioned()
	for _, field := range m.names[old] {
		*field = proto.String(name)
	}
	move(m.names, old, name)
	move(m.infos, old, name)
	move(m.inputs, old, name)
}

func move[T any](index map[string][]T, from, to string) {
	if list := index[from]; len(list) > 0 {
		index[to] = append(index[to], list...)
		delete(index, from)
	}
}

func (g *Graph) addValueInfo(info *valueInfo) {
	g.pb.ValueInfo = append(g.pb.ValueInfo, info)
	if g.mention(&info.Name); g.index != nil {
		g.index.infos[info.GetName()] = append(g.index.infos[info.GetName()], info)
	}
}

func (g *Graph) dropValueInfo(name string) {
	m := g.mentioned()
	for _, info := range m.infos[name] {
		g.gone.add(info)
		g.dirty = true
		g.unmention(name, &info.Name)
	}
	delete(m.infos, name)
}

// graves are entries that were removed and go from their lists all at once: see bury.
type graves map[proto.Message]bool

func (s *graves) add(m proto.Message) {
	if *s == nil {
		*s = graves{}
	}
	(*s)[m] = true
}

// bury takes what is gone out of the lists.
func (g *Graph) bury() {
	if len(g.gone) == 0 {
		return
	}
	gone := func(i *valueInfo) bool { return g.gone[i] }
	g.pb.ValueInfo = slices.DeleteFunc(g.pb.ValueInfo, gone)
	g.pb.Input = slices.DeleteFunc(g.pb.Input, gone)
	g.pb.Initializer = slices.DeleteFunc(g.pb.Initializer, func(t *onnxpb.TensorProto) bool { return g.gone[t] })
	g.inits = slices.DeleteFunc(g.inits, func(v *Value) bool { return v.graph != g })
	g.gone = nil
}
