package quantize

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// ErrInfeasible is wrapped by errors that say a target lies outside what the candidates of a plan can reach.
var ErrInfeasible = errors.New("target is infeasible")

// LimitKind says what a Limit bounds, and so its unit.
type LimitKind int

// Kinds of limits.
const (
	// LimitBit bounds BitOPs by those of b x b bits on every searchable layer; the unit is bits (b).
	LimitBit LimitKind = iota
	// LimitWeightBits bounds the average weight bits of searchable layers.
	LimitWeightBits
	// LimitActivationBits bounds the average activation bits of searchable points.
	LimitActivationBits
	// LimitBitOPs bounds total BitOPs; the unit is 1e9 BitOPs.
	LimitBitOPs
	// LimitBytes bounds the packed size; the unit is 1e6 bytes.
	LimitBytes
)

// Limit is one upper bound on the cost of a policy, Value in the unit of its kind.
type Limit struct {
	Kind  LimitKind
	Value float64
}

// Target is a parsed --target: limits that hold together, and perhaps a largest drop of accuracy.
type Target struct {
	Text   string // as given, without surrounding space
	Limits []Limit
	// FixedActivations is the width all searchable activations are held at ("a8"), 0 where they are free.
	FixedActivations int
	// MaxDrop is the largest allowed loss of held-out top-1 against float, in points; meaningful if HasMaxDrop.
	MaxDrop    float64
	HasMaxDrop bool
}

// targetGrammar is shown with every error about the spelling of a target.
const targetGrammar = "want 4.0bit, w4.0a8, w3.5a4.5, 33.9GBitOPs, 6MB, max-drop=1.0, or several joined by commas"

// number is a positive decimal without exponent or sign.
const number = `([0-9]+(?:\.[0-9]*)?|\.[0-9]+)`

// ParseTarget reads one --target.
func ParseTarget(text string) (Target, error) {
	t := Target{Text: strings.TrimSpace(text)}
	for _, part := range strings.Split(t.Text, ",") {
		if err := t.add(strings.TrimSpace(part)); err != nil {
			return Target{}, fmt.Errorf("parse target %q: %w; %s", t.Text, err, targetGrammar)
		}
	}
	return t, nil
}

// ParseTargets reads several; an error names the first that cannot be read.
func ParseTargets(texts []string) ([]Target, error) {
	out := make([]Target, 0, len(texts))
	for _, s := range texts {
		t, err := ParseTarget(s)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// BitOPsTarget is a target of exactly n BitOPs, used to compare with a policy that was found otherwise.
func BitOPsTarget(n int64) Target {
	g := float64(n) / 1e9
	return Target{Text: strconv.FormatFloat(g, 'g', -1, 64) + "GBitOPs", Limits: []Limit{{LimitBitOPs, g}}}
}

func (t *Target) add(part string) error {
	match := func(pattern string) []string {
		return regexp.MustCompile(`(?i)^` + pattern + `$`).FindStringSubmatch(part)
	}
	if m := match(number + `bits?`); m != nil {
		return t.limit(LimitBit, m[1])
	}
	if m := match(`w` + number + `a` + number); m != nil {
		if err := t.limit(LimitWeightBits, m[1]); err != nil {
			return err
		}
		return t.activations(m[2])
	}
	if m := match(number + `([KMGT]?)BitOPs`); m != nil {
		return t.scaled(LimitBitOPs, m[1], prefix(m[2])/1e9)
	}
	if m := match(number + `([KMG]?)B`); m != nil {
		return t.scaled(LimitBytes, m[1], prefix(m[2])/1e6)
	}
	if m := match(`max-drop=` + number); m != nil {
		return t.drop(m[1])
	}
	if part == "" {
		return errors.New("empty part")
	}
	return fmt.Errorf("%q is no limit", part)
}

func (t *Target) limit(k LimitKind, text string) error { return t.scaled(k, text, 1) }

func (t *Target) scaled(k LimitKind, text string, factor float64) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("number %q: %w", text, err)
	}
	// Divide by the inverse where that is a whole number: 33.9 M must not pick up a rounding error on the way.
	if factor < 1 {
		v /= math.Round(1 / factor)
	} else {
		v *= factor
	}
	if v <= 0 {
		return fmt.Errorf("%s must be above zero", text)
	}
	if math.IsInf(v, 0) {
		return fmt.Errorf("%s is beyond all numbers", text)
	}
	for _, l := range t.Limits {
		if l.Kind == k {
			return fmt.Errorf("two limits of one kind (%s)", l)
		}
	}
	t.Limits = append(t.Limits, Limit{Kind: k, Value: v})
	return nil
}

// activations reads the part after "a": 8 holds activations there, anything else bounds their average.
func (t *Target) activations(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("number %q: %w", text, err)
	}
	if v == fixedBits {
		t.FixedActivations = fixedBits
		return nil
	}
	return t.limit(LimitActivationBits, text)
}

func (t *Target) drop(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("number %q: %w", text, err)
	}
	if t.HasMaxDrop {
		return errors.New("max-drop stands twice")
	}
	t.MaxDrop, t.HasMaxDrop = v, true
	return nil
}

func prefix(s string) float64 {
	switch strings.ToUpper(s) {
	case "K":
		return 1e3
	case "M":
		return 1e6
	case "G":
		return 1e9
	case "T":
		return 1e12
	default:
		return 1
	}
}

// Unit names the unit of Value: bit, GBitOPs or MB.
func (l Limit) Unit() string {
	switch l.Kind {
	case LimitBitOPs:
		return "GBitOPs"
	case LimitBytes:
		return "MB"
	case LimitBit, LimitWeightBits, LimitActivationBits:
		return "bit"
	default:
		return ""
	}
}

// String describes the limit for people: "average weight bits <= 4".
func (l Limit) String() string {
	v := strconv.FormatFloat(l.Value, 'g', 6, 64)
	switch l.Kind {
	case LimitBit:
		return "BitOPs <= those of " + v + "x" + v + " bit"
	case LimitWeightBits:
		return "average weight bits <= " + v
	case LimitActivationBits:
		return "average activation bits <= " + v
	case LimitBitOPs:
		return "BitOPs <= " + v + " G"
	case LimitBytes:
		return "packed size <= " + v + " MB"
	default:
		return "unknown limit"
	}
}

// Cost is what the limit bounds, for one policy of a plan and in the unit of the limit.
func (l Limit) Cost(p *Plan, q Policy) float64 {
	switch l.Kind {
	case LimitBit:
		return p.equivalentBits(q)
	case LimitWeightBits:
		w, _ := p.AverageBits(q)
		return w
	case LimitActivationBits:
		_, a := p.AverageBits(q)
		return a
	case LimitBitOPs:
		return float64(p.BitOPs(q)) / 1e9
	case LimitBytes:
		return float64(p.PackedBytes(q, p.FloatRest)) / 1e6
	default:
		return 0
	}
}

// slack absorbs the rounding of decimal limits and averages, nothing more.
const slack = 1e-9

// Fits reports whether a policy is within the limit.
func (l Limit) Fits(p *Plan, q Policy) bool { return l.Cost(p, q) <= l.Value*(1+slack) }

// equivalentBits is the b at which b x b bits on every searchable layer cost as many BitOPs as the policy does.
func (p *Plan) equivalentBits(q Policy) float64 {
	var macs, ops int64
	for i := range p.Layers {
		if l := &p.Layers[i]; !l.Fixed {
			w, a := p.Bits(q, i)
			macs += l.MACs
			ops += int64(w) * int64(a) * l.MACs
		}
	}
	if macs == 0 {
		return fixedBits
	}
	return math.Sqrt(float64(ops) / float64(macs))
}

// Unit is that of the target's first limit.
func (t Target) Unit() string {
	if len(t.Limits) == 0 {
		return "GBitOPs"
	}
	return t.Limits[0].Unit()
}
