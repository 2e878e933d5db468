package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/mpqc/mpqc/quantize/search"
)

// dot is a labelled point, in percent from the left and from the bottom.
type dot struct {
	Left, Bottom float64
	Label        string
	Uniform      bool
	Edge         string // first, last or "": class of a label that would leave the plot
}

// front plots losses over budgets: of searched and of uniform policies, and the results.
type front struct {
	Lines   []string // polylines of the best policies, in a box of 100 x 100
	Uniform string   // polyline of uniform policies
	Dots    []dot
	X, Y    []tick // BitOPs and losses
}

// newFront plots the survey of all budgets or, without one, what the searches evaluated. It is empty with fewer than
// two policies.
func newFront(doc document) front {
	lines := [][]paretoRow{rows(doc.Artifacts.Front)}
	if len(doc.Artifacts.Front) < 2 {
		lines = nil
		for _, s := range doc.Searches {
			lines = append(lines, s.Pareto)
		}
	}
	var f front
	uniform := rows(doc.Artifacts.Uniform)
	x, y := frontAxes(doc, append(lines, uniform))
	if x.hi <= x.lo {
		return f
	}
	for _, points := range lines {
		if len(points) > 1 {
			f.Lines = append(f.Lines, polyline(x, y, points))
		}
	}
	if len(uniform) > 1 {
		f.Uniform = polyline(x, y, uniform)
	}
	for i, s := range doc.Searches {
		t := doc.Result.Results[i]
		if s.Loss > 0 {
			f.Dots = append(f.Dots, newDot(x, y, t.Uniform.BitOPs, s.UniformLoss, "", true), newDot(x, y, t.BitOPs, s.Loss, t.Target, false))
		}
	}
	f.X = x.decades(func(v float64) string { return short(v, "", "k", "M", "G", "T") })
	f.Y = y.decades(func(v float64) string { return short(v) })
	return f
}

// frontAxes returns axes for results, baselines and lines. Both are logarithmic, since losses and costs span decades.
func frontAxes(doc document, lines [][]paretoRow) (x, y axis) {
	var costs, losses []float64
	add := func(cost int64, loss float64) {
		if cost > 0 && loss > 0 { // the widest policy has no distance to itself
			costs, losses = append(costs, math.Log10(float64(cost))), append(losses, math.Log10(loss))
		}
	}
	for _, points := range lines {
		for _, p := range points {
			add(p.BitOPs, p.Loss)
		}
	}
	for i, s := range doc.Searches {
		add(doc.Result.Results[i].BitOPs, s.Loss)
		add(doc.Result.Results[i].Uniform.BitOPs, s.UniformLoss)
	}
	return roundLog(around(costs...)), roundLog(around(losses...))
}

// rows converts points of a search.
func rows(points []search.Point) []paretoRow {
	out := make([]paretoRow, len(points))
	for i, p := range points {
		out[i] = paretoRow{p.BitOPs, p.Loss}
	}
	return out
}

// polyline formats points as the coordinates of an SVG polyline.
func polyline(x, y axis, points []paretoRow) string {
	var b strings.Builder
	for _, p := range points {
		if p.BitOPs > 0 && p.Loss > 0 {
			fmt.Fprintf(&b, "%.2f,%.2f ", x.at(math.Log10(float64(p.BitOPs))), 100-y.at(math.Log10(p.Loss)))
		}
	}
	return strings.TrimSpace(b.String())
}

// newDot places a labelled point.
func newDot(x, y axis, cost int64, loss float64, label string, uniform bool) dot {
	left, edge := x.at(math.Log10(float64(cost))), ""
	switch {
	case left < 10:
		edge = "first"
	case left > 90:
		edge = "last"
	}
	return dot{left, y.at(math.Log10(loss)), label, uniform, edge}
}

// Low reports whether there is no space for a label below the dot. Above it may be the dot of the baseline.
func (d dot) Low() bool { return d.Bottom < 12 }

// Down is the distance from the top in percent.
func (d dot) Down() float64 { return 100 - d.Bottom }

// course plots losses over training.
type course struct {
	Widest, Random, Teacher string // polylines in a box of 100 x 100
	X, Y                    []tick
}

// newCourse plots a history; it is empty without one.
func newCourse(h *History) course {
	var c course
	if h == nil || len(h.Curve) < 2 {
		return c
	}
	var top float64
	for i, m := range h.Curve {
		if i*50 >= len(h.Curve) { // the first steps, before step sizes settle, may be far above all others
			top = max(top, m.Widest, m.Random, m.Teacher)
		}
	}
	y, ticks := fromZero(top)
	line := func(of func(Mark) float64) string {
		var b strings.Builder
		for _, m := range h.Curve {
			fmt.Fprintf(&b, "%.2f,%.2f ", 100*float64(m.Step)/float64(max(h.Steps, 1)), 100-y.at(of(m)))
		}
		return strings.TrimSpace(b.String())
	}
	c.Widest = line(func(m Mark) float64 { return m.Widest })
	if h.Curve[len(h.Curve)-1].Random > 0 {
		c.Random = line(func(m Mark) float64 { return m.Random })
		c.Teacher = line(func(m Mark) float64 { return m.Teacher })
	}
	c.Y, c.X = ticks, steps(h.Steps)
	return c
}
