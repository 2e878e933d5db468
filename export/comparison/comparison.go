package comparison

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/mpqc/mpqc/export/metadata"
)

// Comparison says how far what a runtime computed is from the reference.
type Comparison struct {
	Compared   int64       `json:"codes_compared"`
	Different  int64       `json:"codes_different"`
	MaxCode    int         `json:"max_code_diff"` // largest difference of two codes
	First      *Divergence `json:"first,omitempty"`
	Flips      int         `json:"flips"`        // samples whose largest logit is another one
	MaxAbsDiff float64     `json:"max_abs_diff"` // of float outputs
	// Outputs are the float outputs one by one, in the model's order.
	Outputs []OutputDiff `json:"outputs,omitempty"`
	// Missing are tensors that one side lacks or has in another size.
	Missing []string `json:"missing,omitempty"`

	tensors []tensorDiff
}

// tensorDiff counts the codes of one tensor.
type tensorDiff struct {
	compared, different int64
	first, far          *Divergence // the first code that differs, and the first by more than one
	unsteady            bool
}

// few reports whether no more of the elements compared differ than rounding explains.
func few(different, compared int64) bool {
	return different <= roundedCodes || float64(different) <= roundedShare*float64(compared)
}

// Equal reports whether nothing differs.
func (c Comparison) Equal() bool {
	return c.Different == 0 && len(c.Missing) == 0 && c.Flips == 0 && c.MaxAbsDiff == 0
}

// Within reports whether codes differ by at most so much and no tensor is missing.
func (c Comparison) Within(codes int) bool { return c.MaxCode <= codes && len(c.Missing) == 0 }

// Codes beside each other on a grid may be taken for each other where a sum ends near the middle between them. That was
// seen in 0.007 % of a tensor's codes at most; what changes roundedShare of them, and more than a few, is no rounding.
const (
	roundedShare = 0.01
	roundedCodes = 3
)

// Wrong is the first code, in network order, that rounding does not explain, nil where there is none: the first that
// differs where the tolerance is 0; with one code of tolerance the first that is farther off, or of a tensor that has
// too many of them. In unsteady tensors it does not matter how far off the few are.
func (c Comparison) Wrong(tolerance int) *Divergence {
	if tolerance == 0 {
		return c.First
	}
	for _, t := range c.tensors {
		switch {
		case t.far != nil && !t.unsteady:
			return t.far
		case !few(t.different, t.compared):
			return t.first
		}
	}
	return nil
}

// Astray is the first float output with an element farther from the reference than a share of the output's largest
// element, nil where there is none.
func (c Comparison) Astray(share float64) *OutputDivergence {
	for _, o := range c.Outputs {
		if o.unsteady && share > 0 && few(o.odd, o.compared) {
			continue
		}
		if o.At != nil && !(o.MaxAbsDiff <= share*o.MaxAbs) {
			return o.At
		}
	}
	return nil
}

// Add takes the comparison of further samples, the first of which is number first of all.
func (c *Comparison) Add(x Comparison, first int) {
	c.Compared += x.Compared
	c.Different += x.Different
	c.MaxCode = max(c.MaxCode, x.MaxCode)
	c.Flips += x.Flips
	c.MaxAbsDiff = max(c.MaxAbsDiff, x.MaxAbsDiff)
	if len(c.Missing) == 0 {
		c.Missing = x.Missing
	}
	for i, t := range x.tensors {
		t.first, t.far = t.first.after(first), t.far.after(first)
		if i == len(c.tensors) {
			c.tensors = append(c.tensors, t)
			continue
		}
		sum := &c.tensors[i]
		sum.compared, sum.different = sum.compared+t.compared, sum.different+t.different
		sum.first, sum.far = cmp.Or(sum.first, t.first), cmp.Or(sum.far, t.far)
	}
	if i := slices.IndexFunc(c.tensors, func(t tensorDiff) bool { return t.first != nil }); i >= 0 {
		c.First = c.tensors[i].first // in network order, whichever sample showed it
	}
	for i, o := range x.Outputs {
		o.At = o.At.after(first)
		if i == len(c.Outputs) {
			c.Outputs = append(c.Outputs, o)
			continue
		}
		sum := &c.Outputs[i]
		sum.MaxAbs = max(sum.MaxAbs, o.MaxAbs)
		sum.compared, sum.odd = sum.compared+o.compared, sum.odd+o.odd
		if o.MaxAbsDiff > sum.MaxAbsDiff {
			sum.MaxAbsDiff, sum.At = o.MaxAbsDiff, o.At
		}
	}
}

// Better takes each tensor and each output from that of two comparisons, of the same names, in which less of it
// differs: a runtime computes some operators in one way as they are written and in another where it merges them with
// their quantizers.
func Better(a, b Comparison) Comparison {
	if len(a.Missing) > 0 || len(b.Missing) > 0 || len(a.tensors) != len(b.tensors) || len(a.Outputs) != len(b.Outputs) {
		return a
	}
	best := Comparison{Compared: a.Compared, Flips: min(a.Flips, b.Flips), MaxCode: min(a.MaxCode, b.MaxCode)}
	for i, t := range a.tensors {
		if o := b.tensors[i]; o.far == nil && t.far != nil || (o.far == nil) == (t.far == nil) && o.different < t.different {
			t = o
		}
		best.tensors = append(best.tensors, t)
		best.Different += t.different
		best.First = cmp.Or(best.First, t.first)
	}
	for i, o := range a.Outputs {
		if b.Outputs[i].MaxAbsDiff < o.MaxAbsDiff {
			o = b.Outputs[i]
		}
		best.Outputs = append(best.Outputs, o)
		best.MaxAbsDiff = max(best.MaxAbsDiff, o.MaxAbsDiff)
	}
	return best
}

// Of holds what a runtime computed (got) against the reference (want), tensor by tensor in network order, which
// is that of the tensors of a Description. A float output that is NaN on one side alone makes MaxAbsDiff infinite.
func Of(tensors []metadata.TensorBits, want, got Outputs) Comparison {
	var c Comparison
	c.tensors = make([]tensorDiff, len(tensors))
	for k, t := range tensors {
		w, g := want.Codes[t.Tensor], got.Codes[t.Tensor]
		if w == nil || len(w) != len(g) {
			c.Missing = append(c.Missing, t.Tensor)
			continue
		}
		c.Compared += int64(len(w))
		d := &c.tensors[k]
		d.compared, d.unsteady = int64(len(w)), slices.Contains(want.Unsteady, t.Tensor)
		if bytes.Equal(w, g) {
			continue
		}
		c.MaxCode = max(c.MaxCode, d.compare(t, w, g, len(w)/want.samples()))
		c.Different += d.different
		c.First = cmp.Or(c.First, d.first)
	}
	c.logits(want, got)
	for i, o := range want.More {
		var values []float32
		if i < len(got.More) {
			values = got.More[i].Values
		}
		c.output(o, values, want.Unsteady)
	}
	return c
}

// compare counts codes that differ, per of them to a sample, and returns by how much they do.
func (d *tensorDiff) compare(t metadata.TensorBits, want, got []uint8, per int) (most int) {
	for i, w := range want {
		g := got[i]
		if w == g {
			continue
		}
		off := abs(int(w) - int(g))
		if d.first == nil || d.far == nil && off > 1 {
			at := &Divergence{Tensor: t.Tensor, Node: t.Node, Sample: i / max(per, 1), Index: i % max(per, 1), Want: w, Got: g}
			d.first = cmp.Or(d.first, at)
			if off > 1 {
				d.far = at
			}
		}
		d.different++
		most = max(most, off)
	}
	return most
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}
