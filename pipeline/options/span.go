package options

import (
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// Span is what a number may be.
type Span struct {
	Low, High float64 // of durations in seconds
	Above     bool    // Low itself is out
	Below     bool    // High itself is out
	Duration  bool
}

// Holds reports whether a number is in the span; NaN is in none.
func (s Span) Holds(v float64) bool {
	return (v > s.Low || v == s.Low && !s.Above) && (v < s.High || v == s.High && !s.Below)
}

// String is the span in words: "from 1 to 64", "above 0 and below 1".
func (s Span) String() string {
	text := func(v float64) string {
		if s.Duration {
			return time.Duration(v * float64(time.Second)).String()
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	low, high := "from "+text(s.Low), " to "+text(s.High)
	if s.Above {
		low = "above " + text(s.Low)
	}
	switch {
	case s.Below && s.Above:
		high = " and below " + text(s.High)
	case s.Below:
		high = " to below " + text(s.High)
	case s.Above:
		high = " and at most " + text(s.High)
	}
	return low + high
}

// Check is an error where a number, which text shows as it was stated, lies outside of the span.
func (s Span) Check(name string, v float64, text string) error {
	if s.Holds(v) {
		return nil
	}
	return fmt.Errorf("%s: %s is not %s", name, text, s)
}

// Bounds of numbers: more is a slip of the keyboard.
const (
	mostSamples = 1e9
	mostEpochs  = 1e6
	mostYears   = 10 * 365 * 24 * 3600 // in seconds
)

// spans are those of the numbers of Options, by the names of their flags.
var spans = map[string]Span{
	"threads":           {High: 4096}, // 0: all
	"batch":             {Low: 1, High: 1 << 16},
	"paths":             {Low: 1, High: 64},
	"random":            {High: 1e6},
	"samples":           {Low: 1, High: mostSamples},
	"search-samples":    {Low: 1, High: mostSamples},
	"norm-samples":      {Low: 1, High: mostSamples},
	"calibrate-samples": {Low: 1, High: mostSamples},
	"train-samples":     {High: mostSamples}, // 0: all
	"develop":           {High: mostSamples},
	"epochs":            {High: mostEpochs},
	"polish":            {High: mostEpochs},
	"lr":                {High: 1e9, Above: true},
	"holdout":           {High: 1, Above: true, Below: true},
	"float-teacher":     {High: 1, Below: true},
	"label-smoothing":   {High: 1, Below: true},
	"time":              {Low: 0.001, High: mostYears, Duration: true},
	"checkpoint-every":  {Low: 1e-9, High: mostYears, Duration: true},
}

// SpanOf is the span of the number that a flag states.
func SpanOf(flag string) (s Span, known bool) {
	s, known = spans[flag]
	return s, known
}

// number is one of Options that is stated.
type number struct {
	flag  string
	value float64
	text  string
}

// numbers lists those that are stated, where zero, or nil, is not.
func (o *Options) numbers() []number {
	var out []number
	for flag, v := range o.flags() {
		if v.IsZero() {
			continue
		}
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		switch _, bounded := spans[flag]; {
		case !bounded:
		case v.Type() == reflect.TypeFor[time.Duration]():
			out = append(out, number{flag, time.Duration(v.Int()).Seconds(), time.Duration(v.Int()).String()})
		case v.CanInt():
			out = append(out, number{flag, float64(v.Int()), strconv.FormatInt(v.Int(), 10)})
		case v.CanFloat():
			out = append(out, number{flag, v.Float(), strconv.FormatFloat(v.Float(), 'g', -1, 64)})
		}
	}
	return out
}

// checkNumbers looks at whether all numbers can be meant.
func (o *Options) checkNumbers(p *problems) {
	for _, n := range o.numbers() {
		p.add(spans[n.flag].Check(n.flag, n.value, n.text))
	}
	p.check(o.MaxMemory >= 0, "max-memory: must not be negative")
}
