package export

import (
	"bytes"
	"fmt"
	"math"
)

// Outputs is what a network computed for a number of pictures: the codes of each tensor, by quantize.CodesKey, and
// the float outputs, Classes to a picture. Both sides of a comparison hold the same pictures in the same order.
type Outputs struct {
	Codes   map[string][]uint8
	Logits  []float32
	Classes int
}

// Divergence is the first code that differs, in network order.
type Divergence struct {
	Tensor string `json:"tensor"`
	Node   string `json:"node"` // node that computes the tensor
	Index  int    `json:"index"`
	Want   uint8  `json:"want"`
	Got    uint8  `json:"got"`
}

// String is the divergence as one line.
func (d Divergence) String() string {
	return fmt.Sprintf("node %q: element %d of tensor %q is %d instead of %d", d.Node, d.Index, d.Tensor, d.Got, d.Want)
}

// Comparison says how far what a runtime computed is from the reference.
type Comparison struct {
	Compared   int64       `json:"codes_compared"`
	Different  int64       `json:"codes_different"`
	MaxCode    int         `json:"max_code_diff"` // largest difference of two codes
	First      *Divergence `json:"first,omitempty"`
	Flips      int         `json:"flips"`        // pictures whose largest logit is another one
	MaxAbsDiff float64     `json:"max_abs_diff"` // of logits
	// Missing are tensors that one side lacks or has in another size.
	Missing []string `json:"missing,omitempty"`
}

// Equal reports whether nothing differs.
func (c Comparison) Equal() bool {
	return c.Different == 0 && len(c.Missing) == 0 && c.Flips == 0 && c.MaxAbsDiff == 0
}

// Within reports whether codes differ by at most so much and no tensor is missing.
func (c Comparison) Within(codes int) bool { return c.MaxCode <= codes && len(c.Missing) == 0 }

// Compare holds what a runtime computed (got) against the reference (want), tensor by tensor in network order, which
// is that of the tensors of a Description. A float output that is NaN on one side alone makes MaxAbsDiff infinite.
func Compare(tensors []TensorBits, want, got Outputs) Comparison {
	var c Comparison
	for _, t := range tensors {
		w, g := want.Codes[t.Tensor], got.Codes[t.Tensor]
		if w == nil || len(w) != len(g) {
			c.Missing = append(c.Missing, t.Tensor)
			continue
		}
		c.Compared += int64(len(w))
		if bytes.Equal(w, g) {
			continue
		}
		for i := range w {
			if w[i] == g[i] {
				continue
			}
			if c.First == nil {
				c.First = &Divergence{Tensor: t.Tensor, Node: t.Node, Index: i, Want: w[i], Got: g[i]}
			}
			c.Different++
			c.MaxCode = max(c.MaxCode, abs(int(w[i])-int(g[i])))
		}
	}
	c.logits(want, got)
	return c
}

func (c *Comparison) logits(want, got Outputs) {
	if len(want.Logits) != len(got.Logits) {
		c.Missing = append(c.Missing, "logits")
		return
	}
	for i, w := range want.Logits {
		g := got.Logits[i]
		if w == g || (w != w && g != g) {
			continue
		}
		d := math.Abs(float64(w) - float64(g))
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		c.MaxAbsDiff = max(c.MaxAbsDiff, d)
	}
	if n := want.Classes; n > 0 {
		for i := 0; i+n <= len(want.Logits); i += n {
			if argmax(want.Logits[i:i+n]) != argmax(got.Logits[i:i+n]) {
				c.Flips++
			}
		}
	}
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
