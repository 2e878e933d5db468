package search

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/quantize"
)

// Space is what the search may choose from: the candidates of every layer's weights and every point, ascending, in
// plan order. A single candidate means that nothing is searched there.
type Space struct {
	W [][]int // per Plan.Layers
	A [][]int // per Plan.Points
}

// Rule restricts the layers whose node name matches Pattern, in which * stands for any characters and ? for one.
// W applies to the weights, A to the tensor that the layer reads (and so to every layer that shares it); 0 leaves
// that side alone.
type Rule struct {
	Pattern string `json:"pattern"`
	W       int    `json:"w"`
	A       int    `json:"a"`
}

// ParseRule reads NODE=W/A, where W or A may be empty or *: "conv1=8/8", "layer4.*=4/8", "fc=8/".
func ParseRule(s string) (Rule, error) {
	i := strings.LastIndex(s, "=")
	if i < 1 {
		return Rule{}, fmt.Errorf("rule %q: want NODE=W/A, for example layer1.conv1=8/8", s)
	}
	w, a, ok := strings.Cut(s[i+1:], "/")
	if !ok {
		return Rule{}, fmt.Errorf("rule %q: want W/A after =, for example 4/8", s)
	}
	r := Rule{Pattern: s[:i]}
	var err error
	if r.W, err = parseBits(w); err != nil {
		return Rule{}, fmt.Errorf("rule %q: %w", s, err)
	}
	if r.A, err = parseBits(a); err != nil {
		return Rule{}, fmt.Errorf("rule %q: %w", s, err)
	}
	if r.W == 0 && r.A == 0 {
		return Rule{}, fmt.Errorf("rule %q restricts nothing", s)
	}
	return r, nil
}

func parseBits(s string) (int, error) {
	if s == "" || s == "*" {
		return 0, nil
	}
	if len(s) != 1 || s[0] < '2' || s[0] > '8' {
		return 0, fmt.Errorf("bits %q are not a number from 2 to 8", s)
	}
	return int(s[0] - '0'), nil
}

// NewSpace takes the candidates of the plan and restricts them: a pin leaves exactly the named width, a cap removes
// wider ones. A rule that matches no layer, contradicts another or leaves nothing to choose is an error. Fixed layers
// and points keep their 8 bits: a cap passes them by, a pin that asks for something else there is an error.
func NewSpace(plan *quantize.Plan, pins, caps []Rule) (Space, error) {
	s := Space{W: make([][]int, len(plan.Layers)), A: make([][]int, len(plan.Points))}
	for i, l := range plan.Layers {
		s.W[i] = candidates(l.Fixed, l.Candidates)
	}
	for i, p := range plan.Points {
		s.A[i] = candidates(p.Fixed, p.Candidates)
	}
	for _, r := range caps {
		err := s.apply(plan, "cap", r, func(c, bits int) bool { return c <= bits })
		if err != nil {
			return Space{}, err
		}
	}
	for _, r := range pins {
		err := s.apply(plan, "pin", r, func(c, bits int) bool { return c == bits })
		if err != nil {
			return Space{}, err
		}
	}
	return s, nil
}

func candidates(fixed bool, c []int) []int {
	if fixed || len(c) == 0 {
		return []int{8}
	}
	c = slices.Clone(c)
	slices.Sort(c)
	return c
}

func (s Space) apply(plan *quantize.Plan, kind string, r Rule, keep func(c, bits int) bool) error {
	re, err := glob(r.Pattern)
	if err != nil {
		return fmt.Errorf("%s %q: %w", kind, r.Pattern, err)
	}
	matched := false
	for i, l := range plan.Layers {
		if !re.MatchString(l.Node) {
			continue
		}
		matched = true
		if r.W > 0 && (kind == "pin" || !l.Fixed) {
			left := filter(s.W[i], func(c int) bool { return keep(c, r.W) })
			if len(left) == 0 {
				return fmt.Errorf("%s %q: weights of %s can be %v bits, not %d", kind, r.Pattern, l.Node, s.W[i], r.W)
			}
			s.W[i] = left
		}
		if r.A > 0 && l.Point >= 0 && (kind == "pin" || !plan.Points[l.Point].Fixed) {
			left := filter(s.A[l.Point], func(c int) bool { return keep(c, r.A) })
			if len(left) == 0 {
				return fmt.Errorf("%s %q: activations of %s can be %v bits, not %d", kind, r.Pattern, l.Node, s.A[l.Point], r.A)
			}
			s.A[l.Point] = left
		}
	}
	if !matched {
		return fmt.Errorf("%s %q matches no layer", kind, r.Pattern)
	}
	return nil
}

func filter(c []int, keep func(int) bool) []int {
	var out []int
	for _, b := range c {
		if keep(b) {
			out = append(out, b)
		}
	}
	return out
}

// glob compiles a pattern in which * and ? cross every character: node names hold slashes, so path.Match will not do.
func glob(pattern string) (*regexp.Regexp, error) {
	q := regexp.QuoteMeta(pattern)
	q = strings.ReplaceAll(q, `\*`, ".*")
	q = strings.ReplaceAll(q, `\?`, ".")
	return regexp.Compile("^" + q + "$")
}

// Level is the policy with every choice at its widest candidate of at most bits, or at its narrowest where all are
// wider.
func (s Space) Level(bits int) quantize.Policy {
	pick := func(c []int) int {
		best := c[0]
		for _, b := range c {
			if b <= bits {
				best = b
			}
		}
		return best
	}
	p := quantize.Policy{W: make([]int, len(s.W)), A: make([]int, len(s.A))}
	for i, c := range s.W {
		p.W[i] = pick(c)
	}
	for i, c := range s.A {
		p.A[i] = pick(c)
	}
	return p
}

// Levels lists every width that occurs among the candidates with a choice, ascending. It is empty where nothing can
// be chosen.
func (s Space) Levels() []int {
	var out []int
	for _, set := range [][][]int{s.W, s.A} {
		for _, c := range set {
			if len(c) > 1 {
				out = append(out, c...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Contains reports whether every bit-width of the policy is among the candidates.
func (s Space) Contains(p quantize.Policy) bool {
	if len(p.W) != len(s.W) || len(p.A) != len(s.A) {
		return false
	}
	for i, b := range p.W {
		if !slices.Contains(s.W[i], b) {
			return false
		}
	}
	for i, b := range p.A {
		if !slices.Contains(s.A[i], b) {
			return false
		}
	}
	return true
}
