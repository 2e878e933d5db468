package engine_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
)

// shaped is node for values whose shape the graph states, as Pointwise chains need it.
func (b *builder) shaped(name string, op engine.Op, in ...*engine.Value) *engine.Value {
	v := b.node(name, op, in...)
	v.Shape = in[0].Shape.Clone()
	return v
}

// conv3 is a 3x3 convolution that keeps the shape of its input.
func (b *builder) conv3(name string, x *engine.Value) *engine.Value {
	c := x.Shape[1]
	return b.shaped(name, &ops.Conv{Pads: []int{1, 1, 1, 1}, Group: 1}, x, b.param(name+".w", c, c, 3, 3))
}

// chains is a network with chains that branch, join, and share inputs:
//
//	a = conv(x); b = relu(a); c = clip(b); d = conv(c); e = add(d, b); f = relu(e); g = conv(f)
//	h = add(f, g); i = clip(h); j = add(i, i); k = relu(j); l = add(k, a); m = add(l, k)
//
// Outputs are m and e.
func chains(h, w int) (g *engine.Graph, kept *engine.Value) {
	b := newBuilder()
	a := b.conv3("a", b.input(-1, 3, h, w))
	r := b.shaped("b", &ops.Relu{}, a)
	c := b.shaped("c", &ops.Clip{Min: 0.1, Max: 0.9}, r)
	e := b.shaped("e", ops.NewAdd(), b.conv3("d", c), r)
	f := b.shaped("f", &ops.Relu{}, e)
	i := b.shaped("i", &ops.Clip{Min: -1, Max: 1}, b.shaped("h", ops.NewAdd(), f, b.conv3("g", f)))
	k := b.shaped("k", &ops.Relu{}, b.shaped("j", ops.NewAdd(), i, i))
	m := b.shaped("m", ops.NewAdd(), b.shaped("l", ops.NewAdd(), k, a), k)
	b.g.Outputs = []*engine.Value{m, e}
	return b.g, i
}

// TestFusedChains compares a network of chains with one that runs node by node: the arithmetic is the same, so values
// and gradients are equal to the bit. Planes are smaller than a piece, larger, and no multiple of it.
func TestFusedChains(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	for _, size := range []tensor.Shape{{6, 6}, {1, 1}, {50, 47}} {
		for _, keep := range []bool{false, true} {
			g, kept := chains(size[0], size[1])
			o := engine.Options{Batch: 3, Training: true, Pool: pool}
			if keep {
				o.Keep = []*engine.Value{kept}
			}
			alone, fused := compile(t, g, engine.Unfused(o)), compile(t, g, o)
			for _, n := range []int{3, 1, 3} {
				for _, e := range []*engine.Exec{alone, fused} {
					if err := e.SetBatch(n); err != nil {
						t.Fatal(err)
					}
				}
				if !slices.EqualFunc(step(t, alone), step(t, fused), slices.Equal[[]float32]) {
					t.Fatalf("%s, batch %d, kept %v: outputs or gradients differ", size, n, keep)
				}
				if keep && !slices.Equal(alone.Value(kept).Data, fused.Value(kept).Data) {
					t.Errorf("%s, batch %d: the kept value differs", size, n)
				}
			}
		}
	}
}

func TestFusedKinds(t *testing.T) {
	g, kept := chains(6, 6)
	kinds := func(o engine.Options) []string {
		var list []string
		for _, n := range engine.Planned(compile(t, g, o)) {
			list = append(list, n.Op.Type())
		}
		return list
	}
	want := []string{"Conv", "Relu+Clip", "Conv", "Add+Relu", "Conv", "Add+Clip", "Add", "Relu+Add", "Add"}
	if d := cmp.Diff(want, kinds(engine.Options{Batch: 2})); d != "" {
		t.Error(d)
	}
	o := engine.Options{Batch: 2, Keep: []*engine.Value{kept}}
	if d := cmp.Diff(want, kinds(o)); d != "" {
		t.Errorf("with a kept value: %s", d)
	}
	if got := kinds(engine.Unfused(o)); slices.ContainsFunc(got, func(k string) bool { return k == "Add+Relu" }) {
		t.Errorf("unfused: %v", got)
	}
}
