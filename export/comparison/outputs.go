package comparison

import (
	"fmt"
	"math"
	"slices"
)

// Outputs is what a network computed for a number of samples: the codes of each tensor, by quantize.CodesKey, and
// the float outputs: Logits, Classes to a sample, is the first one, Name what it is called. Both sides of a comparison
// hold the same samples in the same order.
type Outputs struct {
	Codes   map[string][]uint8
	Name    string
	Logits  []float32
	Classes int
	More    []Output
	// Unsteady are names of tensors and outputs, as the reference has them, where a few elements may be anything: they
	// are computed beside a pole.
	Unsteady []string
}

// samples is how many there are, by the first float output; without one it is not known and taken to be one.
func (o Outputs) samples() int {
	if o.Classes == 0 {
		return 1
	}
	return max(len(o.Logits)/o.Classes, 1)
}

// Output is a further float output, Per elements to a sample.
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
	compared, odd int64 // samples, and those with an element that is off by more than a share of itself
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
	per, last := max(want.Per, 1), -1 // the last sample that is odd
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
			d.At = &OutputDivergence{Output: want.Name, Sample: i / per, Index: i % per, Want: w, Got: g}
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
