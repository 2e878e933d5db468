package report

import (
	"math"
	"strconv"
	"strings"
)

// axis maps values to [0, 100].
type axis struct{ lo, hi float64 }

// at maps a value.
func (a axis) at(v float64) float64 {
	if a.hi <= a.lo {
		return 50
	}
	return 100 * max(min((v-a.lo)/(a.hi-a.lo), 1), 0)
}

// around is the axis that holds all values; it is empty without any.
func around(values ...float64) axis {
	a := axis{math.Inf(1), math.Inf(-1)}
	for _, v := range values {
		a.lo, a.hi = min(a.lo, v), max(a.hi, v)
	}
	return a
}

// tick is a labelled place on an axis, in percent from its beginning.
type tick struct {
	At    float64
	Label string
}

// Down is the distance from the end in percent.
func (t tick) Down() float64 { return 100 - t.At }

// mantissas lists the round numbers of a decade.
func mantissas() []float64 { return []float64{1, 2, 5} }

// roundLog extends a logarithmic axis to begin at a round number. It also ends at one if there would be no second
// label.
func roundLog(a axis) axis {
	if a.hi <= a.lo {
		return a
	}
	const near = 1e-9 // a value that is round already stays
	lo, hi := math.Inf(-1), math.Inf(1)
	for k := math.Floor(a.lo); k <= math.Ceil(a.hi); k++ {
		for _, m := range mantissas() {
			v := k + math.Log10(m)
			if v <= a.lo+near {
				lo = max(lo, v)
			}
			if v >= a.hi-near {
				hi = min(hi, v)
			}
		}
	}
	begun := axis{lo, a.hi}
	if len(begun.decades(func(float64) string { return "" })) > 1 {
		return begun
	}
	return axis{lo, hi}
}

// decades returns ticks at the powers of ten of a logarithmic axis, and at 2 and 5 times these if there are few.
func (a axis) decades(label func(float64) string) []tick {
	const few = 2.2 // decades with three labels each still stand apart on a phone
	var out []tick
	for k := math.Floor(a.lo); k <= a.hi; k++ {
		for i, m := range mantissas() {
			v := k + math.Log10(m)
			if i > 0 && a.hi-a.lo > few || v < a.lo-1e-9 || v > a.hi+1e-9 {
				continue
			}
			out = append(out, tick{a.at(v), label(m * math.Pow(10, k))})
		}
	}
	return out
}

// spacing is the least round number of which at most most cover the range.
func spacing(span float64, most int) float64 {
	if span <= 0 || math.IsInf(span, 0) || math.IsNaN(span) {
		return 1
	}
	for k := math.Floor(math.Log10(span / float64(most))); ; k++ {
		for _, m := range mantissas() {
			if d := m * math.Pow(10, k); d*float64(most) >= span*(1-1e-9) {
				return d
			}
		}
	}
}

// fromZero returns a linear axis from 0 to a round number of at least top, and its ticks.
func fromZero(top float64) (axis, []tick) {
	d := spacing(top, 4)
	n := max(math.Ceil(top/d-1e-9), 1)
	a := axis{0, n * d}
	var out []tick
	for i := 0.0; i <= n; i++ {
		out = append(out, tick{a.at(i * d), short(i * d)})
	}
	return a, out
}

// steps returns ticks at round numbers of updates.
func steps(total int) []tick {
	d := max(spacing(float64(total), 5), 1)
	var out []tick
	for v := 0.0; v <= float64(total); v += d {
		out = append(out, tick{100 * v / float64(max(total, 1)), count(int(v))})
	}
	return out
}

// short formats a round number with the units for powers of a thousand.
func short(v float64, units ...string) string {
	i := 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1000
	}
	unit := ""
	if len(units) > 0 {
		unit = units[i]
	}
	return strings.TrimSpace(strconv.FormatFloat(float64(float32(v)), 'f', -1, 32) + "\u00a0" + unit)
}
