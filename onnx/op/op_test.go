package op

import (
	"reflect"
	"testing"
)

func TestRows(t *testing.T) {
	count := 0
	families := [][]Row{activations, arithmetic, layers, norms, pools, moves, reductions, sources, sequences, codes, runtime}
	for _, family := range families {
		count += len(family)
	}
	if count != len(Rows()) {
		t.Errorf("%d rows stand for %d operators", count, len(Rows()))
	}
	for _, r := range Rows() {
		for _, c := range []struct {
			what string
			bad  bool
		}{
			{"has no name", r.Name == ""},
			{"takes fewer inputs than it needs", r.Max != Any && r.Max < r.Min || r.Min < 0},
			{"has a floor that it does not promise", r.Floor != 0 && !r.Has(Bounded)},
			{"has a default axis and none to work along", r.Axis != 0 && !r.Has(AlongAxis)},
			{"has a dip and is no activation", r.Dip != 0 && !r.Has(Activation)},
			{"is unsigned, and smaller than zero", r.Has(Unsigned) && (!r.Has(Bounded) || r.Floor < 0)},
			{"is a quotient without a pole", r.Has(Quotient) && !r.Has(Pole)},
			{"keeps the order of elements that it does not keep", r.Has(InOrder) && !r.Has(Preserving)},
			{"is a layer without parameters", r.Kind != NoLayer && !r.Has(Learned)},
			{"moved attributes and is not rewritten", r.Moved != nil && r.Legacy != Rewritten},
			{"came after set 13 and was read before", r.Since > 13 && r.Legacy != Unread},
			{"changed before it came", r.Changed != 0 && r.Changed <= max(r.Since, 13)},
			{"is not found", Of(r.Domain, r.Name).Name != r.Name},
		} {
			if c.bad {
				t.Errorf("%s %s", r.Name, c.what)
			}
		}
	}
}

// TestUnknown: nothing is promised of operators without a row, be they of another domain alone.
func TestUnknown(t *testing.T) {
	for _, name := range []string{"", "Frobnicate", "Relu"} {
		r := Of("com.acme", name)
		if !reflect.DeepEqual(r, Row{}) {
			t.Errorf("%q: %+v", name, r)
		}
	}
}

func TestAxes(t *testing.T) {
	tests := []struct {
		kind       Kind
		transposed bool
		out, in    int
	}{
		{Conv, false, 0, 1},
		{Conv, true, 0, 1},
		{ConvTranspose, false, 1, 0},
		{Gemm, false, 1, 0},
		{Gemm, true, 0, 1},
		{MatMul, false, 1, 0},
		{MatMul, true, 1, 0},
	}
	for _, tt := range tests {
		if out, in := tt.kind.Axes(tt.transposed); out != tt.out || in != tt.in {
			t.Errorf("axes of kind %d, transposed %v: %d and %d", tt.kind, tt.transposed, out, in)
		}
	}
}

func TestNamesOfCodes(t *testing.T) {
	for name, want := range map[string][2]bool{
		"QLinearConv": {true, true}, "QLinearFrobnicate": {true, true}, "QGemm": {true, true},
		"MatMulInteger": {false, true}, "QuantizeLinear": {false, false}, "Conv": {false, false}, "": {false, false},
	} {
		if got := [2]bool{Fused(name), OnCodes(name)}; got != want {
			t.Errorf("%q: fused, on codes: %v, want %v", name, got, want)
		}
	}
}
