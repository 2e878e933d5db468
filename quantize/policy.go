package quantize

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Validate reports the first choice of a policy that the plan does not allow. Widths that the scheduler dropped during
// training are still allowed here: the supernet has them.
func (p *Plan) Validate(q Policy) error {
	if len(q.W) != len(p.Layers) || len(q.A) != len(p.Points) {
		return fmt.Errorf("policy has %d layers and %d tensors, the plan %d and %d", len(q.W), len(q.A), len(p.Layers), len(p.Points))
	}
	for i := range p.Layers {
		if l := &p.Layers[i]; !slices.Contains(l.Candidates, q.W[i]) {
			return fmt.Errorf("layer %s: %d weight bits are not among %v", l.Node, q.W[i], l.Candidates)
		}
	}
	for i := range p.Points {
		if t := &p.Points[i]; !slices.Contains(t.Candidates, q.A[i]) {
			return fmt.Errorf("tensor %s: %d activation bits are not among %v", t.Tensor, q.A[i], t.Candidates)
		}
	}
	return nil
}

// ParsePin reads the argument of --pin and --cap: a node pattern (see Match), "=", weight bits, "/", activation bits.
func ParsePin(text string) (pattern string, w, a int, err error) {
	at := strings.LastIndexByte(text, '=')
	if at > 0 {
		left, right, ok := strings.Cut(text[at+1:], "/")
		w, errW := strconv.Atoi(strings.TrimSpace(left)) // lines of a policy file have spaces
		a, errA := strconv.Atoi(strings.TrimSpace(right))
		if ok && errW == nil && errA == nil && w >= minBits && w <= maxBits && a >= minBits && a <= maxBits {
			return strings.TrimSpace(text[:at]), w, a, nil
		}
	}
	return "", 0, 0, fmt.Errorf("parse %q: want NODE=WEIGHT_BITS/ACTIVATION_BITS with bits from %d to %d, such as layer4.*=4/8", text, minBits, maxBits)
}

// Pin returns a plan in which layers whose node matches the pattern have only w weight bits, and the tensors they read
// only a activation bits. It is an error if nothing matches or a width is not a candidate.
func (p *Plan) Pin(pattern string, w, a int) (*Plan, error) {
	return p.restrict(pattern, func(c int) bool { return c == w }, func(c int) bool { return c == a })
}

// Cap returns a plan in which layers whose node matches the pattern have at most w weight bits, and the tensors they
// read at most a activation bits. It is an error if nothing matches or nothing is left.
func (p *Plan) Cap(pattern string, w, a int) (*Plan, error) {
	return p.restrict(pattern, func(c int) bool { return c <= w }, func(c int) bool { return c <= a })
}

// Only returns a plan that leaves no choice but a valid policy.
func (p *Plan) Only(q Policy) (*Plan, error) {
	if err := p.Validate(q); err != nil {
		return nil, err
	}
	c := *p
	c.Layers, c.Points = slices.Clone(p.Layers), slices.Clone(p.Points)
	for i := range c.Layers {
		c.Layers[i].Candidates = []int{q.W[i]}
	}
	for i := range c.Points {
		c.Points[i].Candidates = []int{q.A[i]}
	}
	return &c, nil
}

func (p *Plan) restrict(pattern string, weight, activation func(int) bool) (*Plan, error) {
	c := *p
	c.Layers, c.Points = slices.Clone(p.Layers), slices.Clone(p.Points)
	matched := false
	for i := range c.Layers {
		l := &c.Layers[i]
		if !Match(pattern, l.Node) {
			continue
		}
		matched = true
		t := &c.Points[l.Point]
		left, reads := keep(l.Candidates, weight), keep(t.Candidates, activation)
		if len(left) == 0 {
			return nil, fmt.Errorf("restrict layer %s: no weight width left of %v", l.Node, l.Candidates)
		}
		if len(reads) == 0 {
			return nil, fmt.Errorf("restrict layer %s: no activation width left of %v for %s", l.Node, t.Candidates, t.Tensor)
		}
		l.Candidates, t.Candidates = left, reads
	}
	if !matched {
		return nil, fmt.Errorf("pattern %q matches no quantized layer", pattern)
	}
	return &c, nil
}

func keep(candidates []int, ok func(int) bool) []int {
	var out []int
	for _, c := range candidates {
		if ok(c) {
			out = append(out, c)
		}
	}
	return out
}

// Match reports whether a pattern selects a node. A pattern without * and ? is a node's exact name; otherwise * stands
// for any run of characters ("/" too), ? for one, and the pattern may match the name from the start or from any "/"
// on, so that layer4.* selects /layer4/layer4.0/conv1/Conv.
func Match(pattern, node string) bool {
	if !strings.ContainsAny(pattern, "*?") {
		return pattern == node
	}
	for {
		if glob(pattern, node) {
			return true
		}
		i := strings.IndexByte(node, '/')
		if i < 0 {
			return false
		}
		node = node[i+1:]
	}
}

// glob matches with backtracking to the last star only, which suffices and keeps it linear per star.
func glob(pattern, s string) bool {
	p, i, star, from := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
