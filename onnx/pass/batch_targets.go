package pass

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// reshape gives a Reshape a constant target. With one element that depends on the batch, -1 in its place is exact
// whatever it is, as the element count decides it. Where the target has a -1 already and starts with the batch of the
// reshaped value itself, the roles are swapped: -1 for the batch, the count per sample for the other.
func (f *batchFolder) reshape(n *onnx.Node, p probed) (bool, error) {
	var v [probes][]int64
	for i := range v {
		x, err := tensor.Ints(p[i])
		if err != nil || len(x) != p[0].Shape.Numel() {
			return false, nil //nolint:nilerr // not a shape: the node stays, and validation is not this pass's business
		}
		v[i] = x
	}
	target := slices.Clone(v[0])
	var open, dependent []int
	for k := range target {
		switch {
		case v[0][k] != v[1][k] || v[0][k] != v[2][k]:
			dependent = append(dependent, k)
			target[k] = -1
		case target[k] == -1:
			open = append(open, k)
		case target[k] == 0:
			return false, nil // a copied or an empty dimension: leave it
		}
	}
	switch {
	case len(dependent) != 1 || len(open) > 1:
		return false, nil
	case len(open) == 1:
		rest, ok := f.restPerSample(n.Input(0), v, dependent[0], open[0])
		if !ok {
			return false, nil
		}
		target[open[0]] = rest
	}
	g := f.model.Graph
	c, err := g.AddInitializer(g.FreshName(n.Input(1).Name()+"/static"), tensor.From(tensor.Shape{len(target)}, target))
	if err != nil {
		return false, fmt.Errorf("reshape %q: %w", n.Name(), err)
	}
	n.SetInput(1, c)
	return true, nil
}

// expand repeats a constant for every sample, such as the class token of a transformer, by other operators: shapes of
// theirs follow without arithmetic.
func (f *batchFolder) expand(n *onnx.Node, p probed) (bool, error) {
	in := f.main()
	if in == nil || n.Input(0) == nil || n.Input(0).Const() == nil || in.DType() != tensor.Float32 {
		return false, nil
	}
	x := n.Input(0).Const()
	var one tensor.Shape
	for i, to := range p {
		s, err := expanded(x.Shape, to)
		if err != nil || len(s) == 0 || s[0] != probe(i) || i > 0 && !s[1:].Equal(one[1:]) {
			return false, nil //nolint:nilerr // another kind of Expand: the node stays
		}
		if i == 0 {
			one = s
		}
	}
	t, err := expand(x, one, f.work.room())
	if err != nil || !f.work.spend([]*tensor.Tensor{t}) {
		return false, nil //nolint:nilerr // too large to be written out
	}
	g := f.model.Graph
	c, err := g.AddInitializer(g.FreshName(n.Input(0).Name()+"/one"), t)
	if err != nil {
		return false, fmt.Errorf("expand %q: %w", n.Name(), err)
	}
	v, err := perSample(g, in, c, n)
	if err != nil {
		return false, fmt.Errorf("expand %q: %w", n.Name(), err)
	}
	return true, takeOver(g, n, v)
}

// restPerSample is what -1 at position open stands for if position at is the batch of x.
func (f *batchFolder) restPerSample(x *onnx.Value, v [probes][]int64, at, open int) (int64, bool) {
	for i := range v {
		if v[i][at] != int64(probe(i)) {
			return 0, false
		}
	}
	if x == nil || f.main() == nil || f.batchOf(x) != f.main() {
		return 0, false
	}
	s, _ := x.Shape()
	rest := int64(s[1:].Numel())
	for k, d := range v[0] {
		if k == at || k == open {
			continue
		}
		if d <= 0 || rest%d != 0 {
			return 0, false
		}
		rest /= d
	}
	return rest, rest > 0
}
