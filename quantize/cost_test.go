package quantize

import (
	"math"
	"slices"
	"testing"
)

// tiny is stem (fixed) -> a -> depthwise b -> last (fixed), with a stream that no layer reads.
func tiny() *Plan {
	all := []int{2, 3, 4, 8}
	return &Plan{
		Layers: []Layer{
			{Node: "/stem/Conv", Point: 0, MACs: 100, Params: 10, Fixed: true, Candidates: []int{8}},
			{Node: "/a/Conv", Point: 1, MACs: 1000, Params: 300, Candidates: all},
			{Node: "/b/b.0/Conv", Point: 2, MACs: 50, Params: 100, Depthwise: true, Candidates: []int{3, 4, 8}},
			{Node: "/fc/Gemm", Point: 4, MACs: 20, Params: 20, Fixed: true, Candidates: []int{8}},
		},
		Points: []Point{
			{Tensor: "x", Fixed: true, Candidates: []int{8}, Layers: []int{0}, Elements: 7},
			{Tensor: "s", Candidates: all, Layers: []int{1}, Elements: 60},
			{Tensor: "t", Candidates: all, Layers: []int{2}, Elements: 20},
			{Tensor: "add", Stream: true, Candidates: []int{8}, Elements: 1000},
			{Tensor: "pool", Fixed: true, Candidates: []int{8}, Layers: []int{3}, Elements: 5},
		},
		FloatRest: 40,
	}
}

func TestCost(t *testing.T) {
	p := tiny()
	q := Policy{W: []int{8, 4, 3, 8}, A: []int{8, 2, 4, 8, 8}}
	if got, want := p.MACs(), int64(1170); got != want {
		t.Errorf("MACs = %d, want %d", got, want)
	}
	if got, want := p.BitOPs(q), int64(64*120+4*2*1000+3*4*50); got != want {
		t.Errorf("BitOPs = %d, want %d", got, want)
	}
	if got, want := p.PackedBytes(q, 40), int64((8*30+4*300+3*100+7)/8+40); got != want {
		t.Errorf("PackedBytes = %d, want %d", got, want)
	}
	w, a := p.AverageBits(q)
	if math.Abs(w-1500.0/400) > 1e-12 || math.Abs(a-200.0/80) > 1e-12 {
		t.Errorf("AverageBits = %g, %g", w, a)
	}
}

func TestUniform(t *testing.T) {
	p := tiny()
	tests := []struct {
		name string
		q    Policy
		w, a []int
	}{
		{"below the lowest", p.Uniform(1), []int{8, 2, 3, 8}, []int{8, 2, 2, 8, 8}},
		{"2", p.Uniform(2), []int{8, 2, 3, 8}, []int{8, 2, 2, 8, 8}},
		{"between candidates", p.Uniform(6), []int{8, 4, 4, 8}, []int{8, 4, 4, 8, 8}},
		{"min", p.Min(), []int{8, 2, 3, 8}, []int{8, 2, 2, 8, 8}},
		{"max", p.Max(), []int{8, 8, 8, 8}, []int{8, 8, 8, 8, 8}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !slices.Equal(tt.q.W, tt.w) || !slices.Equal(tt.q.A, tt.a) {
				t.Errorf("got %v, want %v %v", tt.q, tt.w, tt.a)
			}
			if err := p.Validate(tt.q); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, node string
		want          bool
	}{
		{"/a/Conv", "/a/Conv", true},
		{"a/Conv", "/a/Conv", false},
		{"layer4.*", "/layer4/layer4.0/conv1/Conv", true},
		{"layer4.*", "/layer3/layer3.0/conv1/Conv", false},
		{"*Conv", "/a/Conv", true},
		{"*Conv", "/a/Conv_1", false},
		{"/a?Conv", "/a/Conv", true},
		{"*a*b*c", "xaybbzc", true},
		{"*a*b*c", "xaybbzcd", false},
		{"*", "", true},
	}
	for _, tt := range tests {
		if got := Match(tt.pattern, tt.node); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.pattern, tt.node, got)
		}
	}
}

func TestRestrict(t *testing.T) {
	p := tiny()
	c, err := p.Cap("b.*", 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Layers[2].Candidates, []int{3, 4}) || !slices.Equal(c.Points[2].Candidates, []int{2, 3, 4}) {
		t.Errorf("cap left %v and %v", c.Layers[2].Candidates, c.Points[2].Candidates)
	}
	if !slices.Equal(p.Layers[2].Candidates, []int{3, 4, 8}) {
		t.Error("cap changed the plan it was called on")
	}
	if c, err = p.Pin("/a/Conv", 4, 8); err != nil || c.Min().W[1] != 4 || c.Min().A[1] != 8 {
		t.Errorf("pin: %v, %v", c, err)
	}
	for _, bad := range []func() (*Plan, error){
		func() (*Plan, error) { return p.Pin("nothing", 4, 4) },
		func() (*Plan, error) { return p.Pin("/a/Conv", 5, 4) },
		func() (*Plan, error) { return p.Cap("/b/b.0/Conv", 2, 4) },
		func() (*Plan, error) { return p.Pin("/a/Conv", 4, 7) },
	} {
		if _, err := bad(); err == nil {
			t.Error("no error")
		}
	}
}

// TestOnly: one policy is left, the plan it is called on keeps its choices, and a policy of another plan is refused.
func TestOnly(t *testing.T) {
	p := tiny()
	q := p.Uniform(4)
	c, err := p.Only(q)
	if err != nil || !c.Max().Equal(q) || !c.Min().Equal(q) {
		t.Errorf("left %v to %v of %v: %v", c.Min(), c.Max(), q, err)
	}
	if p.Min().Equal(p.Max()) {
		t.Error("it changed the plan it was called on")
	}
	q.W[1] = 5
	if _, err := p.Only(q); err == nil {
		t.Error("no error for a width that is no candidate")
	}
}

func TestParsePin(t *testing.T) {
	pattern, w, a, err := ParsePin("/a=b/*=4/8")
	if err != nil || pattern != "/a=b/*" || w != 4 || a != 8 {
		t.Errorf("got %q %d/%d, %v", pattern, w, a, err)
	}
	if pattern, w, a, err = ParsePin("/a/Conv  = 4/ 8"); err != nil || pattern != "/a/Conv" || w != 4 || a != 8 {
		t.Errorf("with spaces: %q %d/%d, %v", pattern, w, a, err)
	}
	for _, bad := range []string{"", "a", "=4/8", "a=4", "a=4/", "a=1/8", "a=4/9", "a=x/8"} {
		if _, _, _, err := ParsePin(bad); err == nil {
			t.Errorf("ParsePin(%q): no error", bad)
		}
	}
}
