package pass

import (
	"slices"

	"github.com/mpqc/mpqc/onnx"
)

// DropEmpty takes operands without elements out of Concats, where exporters leave caches and lists that begin empty. No
// runtime computes anything with them, but each would need a place in every batch.
type DropEmpty struct{ always }

// Name names the pass.
func (DropEmpty) Name() string { return "empty operands" }

// Apply shortens every such Concat.
func (DropEmpty) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if n.Op() != "Concat" || n.Domain() != "" {
			continue
		}
		all := n.Inputs()
		kept := slices.DeleteFunc(slices.Clone(all), func(v *onnx.Value) bool { return addsNothing(v, int(n.Int("axis", 0))) })
		if len(kept) == 0 || len(kept) == len(all) {
			continue
		}
		for i := range all {
			if i < len(kept) {
				n.SetInput(i, kept[i])
			} else {
				n.SetInput(i, nil)
			}
		}
		modified = true
	}
	return modified, nil
}

// addsNothing reports whether a value has no elements along the axis that it is concatenated by.
func addsNothing(v *onnx.Value, axis int) bool {
	if v == nil {
		return false
	}
	s, known := v.Shape()
	if axis < 0 {
		axis += len(s)
	}
	return known && axis >= 0 && axis < len(s) && s[axis] == 0
}
