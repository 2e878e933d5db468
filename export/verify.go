package export

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/export/metadata"
)

// Outputs is what a network computed for a number of pictures: the codes of each tensor, by quantize.CodesKey, and
// the float outputs: Logits, Classes to a picture, is the first one, Name what it is called. Both sides of a comparison
// hold the same pictures in the same order.
type Outputs struct {
	Codes   map[string][]uint8
	Name    string
	Logits  []float32
	Classes int
	More    []Output
	// Unsteady are names of tensors and outputs, as the reference has them, where a few elements may be anything: they are
	// computed beside a pole.
	Unsteady []string
}

// pictures is how many there are, by the first float output; without one it is not known and taken to be one.
func (o Outputs) pictures() int {
	if o.Classes == 0 {
		return 1
	}
	return max(len(o.Logits)/o.Classes, 1)
}

// Output is a further float output, Per elements to a picture.
type Output struct {
	Name   string
	Values []float32
	Per    int
}

// OutputTolerance is how far float outputs may lie from the reference where a runtime adds up in float, as share of the
// largest output. Such sums were seen to differ by 7e-7.
const OutputTolerance = 1e-4

// OutputDiff is how far one float output is from the reference.
type OutputDiff struct {
	Name       string  `json:"name"`
	MaxAbsDiff float64 `json:"max_abs_diff"`
	MaxAbs     float64 `json:"max_abs"` // largest finite magnitude in the reference
	// At is where MaxAbsDiff is, nil where nothing differs.
	At *OutputDivergence `json:"at,omitempty"`

	unsteady      bool
	compared, odd int64 // pictures, and those with an element that is off by more than a share of itself
}

// Comparison says how far what a runtime computed is from the reference.
type Comparison struct {
	Compared   int64       `json:"codes_compared"`
	Different  int64       `json:"codes_different"`
	MaxCode    int         `json:"max_code_diff"` // largest difference of two codes
	First      *Divergence `json:"first,omitempty"`
	Flips      int         `json:"flips"`        // pictures whose largest logit is another one
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
// differs where the tolerance is 0; with one code of tolerance the first that is farther off, or of a tensor that has too
// many of them. In unsteady tensors it does not matter how far off the few are.
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

// Add takes the comparison of further pictures, the first of which is number first of all.
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
		c.First = c.tensors[i].first // in network order, whichever picture showed it
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

// Better takes each tensor and each output from that of two comparisons, of the same names, in which less of it differs: a
// runtime computes some operators in one way as they are written and in another where it merges them with their quantizers.
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

// Compare holds what a runtime computed (got) against the reference (want), tensor by tensor in network order, which
// is that of the tensors of a Description. A float output that is NaN on one side alone makes MaxAbsDiff infinite.
func Compare(tensors []metadata.TensorBits, want, got Outputs) Comparison {
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
		c.MaxCode = max(c.MaxCode, d.compare(t, w, g, len(w)/want.pictures()))
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

// compare counts codes that differ, per of them to a picture, and returns by how much they do.
func (d *tensorDiff) compare(t metadata.TensorBits, want, got []uint8, per int) (most int) {
	for i, w := range want {
		g := got[i]
		if w == g {
			continue
		}
		off := abs(int(w) - int(g))
		if d.first == nil || d.far == nil && off > 1 {
			at := &Divergence{Tensor: t.Tensor, Node: t.Node, Picture: i / max(per, 1), Index: i % max(per, 1), Want: w, Got: g}
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

func (c *Comparison) logits(want, got Outputs) {
	if !c.output(Output{want.Name, want.Logits, want.Classes}, got.Logits, want.Unsteady) {
		return
	}
	if n := want.Classes; n > 0 {
		for i := 0; i+n <= len(want.Logits); i += n {
			if argmax(want.Logits[i:i+n]) != argmax(got.Logits[i:i+n]) {
				c.Flips++
			}
		}
	}
}

// output compares one float output; false where its size differs.
func (c *Comparison) output(want Output, got []float32, unsteady []string) bool {
	d := OutputDiff{Name: want.Name, unsteady: slices.Contains(unsteady, want.Name), compared: int64(len(got) / max(want.Per, 1))}
	if len(want.Values) != len(got) {
		c.Missing = append(c.Missing, fmt.Sprintf("output %q", want.Name))
		c.Outputs = append(c.Outputs, d)
		return false
	}
	per, last := max(want.Per, 1), -1 // the last picture that is odd
	for i, w := range want.Values {
		g := got[i]
		if size := math.Abs(float64(w)); size <= math.MaxFloat32 {
			d.MaxAbs = max(d.MaxAbs, size)
		}
		if w == g || (w != w && g != g) {
			continue
		}
		diff := math.Abs(float64(w) - float64(g))
		if math.IsNaN(diff) {
			diff = math.Inf(1)
		}
		if i/per != last && !(diff <= OutputTolerance*math.Abs(float64(w))) {
			last = i / per
			d.odd++
		}
		if diff > d.MaxAbsDiff {
			d.MaxAbsDiff = diff
			d.At = &OutputDivergence{Output: want.Name, Picture: i / per, Index: i % per, Want: w, Got: g}
		}
	}
	c.MaxAbsDiff = max(c.MaxAbsDiff, d.MaxAbsDiff)
	c.Outputs = append(c.Outputs, d)
	return true
}

func argmax(v []float32) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}
