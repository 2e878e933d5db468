package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/search"
)

// axis maps values onto 0 to 100.
type axis struct{ lo, hi float64 }

func (a axis) at(v float64) float64 {
	if a.hi <= a.lo {
		return 50
	}
	return 100 * max(min((v-a.lo)/(a.hi-a.lo), 1), 0)
}

// around is the axis that holds all values, none where there are none.
func around(values ...float64) axis {
	a := axis{math.Inf(1), math.Inf(-1)}
	for _, v := range values {
		a.lo, a.hi = min(a.lo, v), max(a.hi, v)
	}
	return a
}

// dot is a labelled point, in percent from the left and from the bottom.
type dot struct {
	Left, Bottom float64
	Label        string
	Uniform      bool
	Edge         string // class of a label that would leave the plot: first, last or ""
}

// front shows what losses budgets come to, by search and by uniform widths, and the results between.
type front struct {
	Lines            []string // polylines in a box of 100 x 100: best policies
	Uniform          string   // that of uniform widths
	Dots             []dot
	Low, Mid, High   string // BitOPs
	Worst, Half, Top string // loss
}

// newFront takes the survey of all budgets or, without one, what the searches met. It is empty where there are not two
// policies.
func newFront(doc document) front {
	lines := [][]paretoRow{rows(doc.Insight.Front)}
	if len(doc.Insight.Front) < 2 {
		lines = nil
		for _, s := range doc.Searches {
			lines = append(lines, s.Pareto)
		}
	}
	var f front
	uniform := rows(doc.Insight.Uniform)
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
	at := func(v float64) string { return ops(int64(math.Round(math.Pow(10, v)))) }
	f.Low, f.Mid, f.High = at(x.lo), at((x.lo+x.hi)/2), at(x.hi)
	f.Worst, f.Half, f.Top = number(math.Pow(10, y.hi)), number(math.Pow(10, (y.lo+y.hi)/2)), number(math.Pow(10, y.lo))
	return f
}

// frontAxes hold results, baselines and lines. Both are logarithmic: losses and costs span decades.
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
	return around(costs...), around(losses...)
}

func rows(points []search.Point) []paretoRow {
	out := make([]paretoRow, len(points))
	for i, p := range points {
		out[i] = paretoRow{p.BitOPs, p.Loss}
	}
	return out
}

func polyline(x, y axis, points []paretoRow) string {
	var b strings.Builder
	for _, p := range points {
		if p.BitOPs > 0 && p.Loss > 0 {
			fmt.Fprintf(&b, "%.2f,%.2f ", x.at(math.Log10(float64(p.BitOPs))), 100-y.at(math.Log10(p.Loss)))
		}
	}
	return strings.TrimSpace(b.String())
}

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

// Down is the distance from the top.
func (d dot) Down() float64 { return 100 - d.Bottom }

// course shows the losses over training.
type course struct {
	Widest, Random, Teacher string // polylines in a box of 100 x 100
	Top, Half               string
	Steps                   int
	FirstSteps              int
}

func newCourse(h *pipeline.History) course {
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
	y := axis{0, top}
	line := func(of func(pipeline.Mark) float64) string {
		var b strings.Builder
		for _, m := range h.Curve {
			fmt.Fprintf(&b, "%.2f,%.2f ", 100*float64(m.Step)/float64(max(h.Steps, 1)), 100-y.at(of(m)))
		}
		return strings.TrimSpace(b.String())
	}
	c.Widest = line(func(m pipeline.Mark) float64 { return m.Widest })
	if h.Curve[len(h.Curve)-1].Random > 0 {
		c.Random = line(func(m pipeline.Mark) float64 { return m.Random })
		c.Teacher = line(func(m pipeline.Mark) float64 { return m.Teacher })
	}
	c.Top, c.Half, c.Steps = number(top), number(top/2), h.Steps
	return c
}

// heat shows turbulence: a row per layer with a choice of widths, a cell per look of the scheduler.
type heat struct {
	Rows        []heatRow
	Min, Max    float64
	First, Last int // steps
}

type heatRow struct {
	Node  string
	Cells []cell
	Last  float64
}

// cell holds the share of the greatest turbulence, in percent.
type cell struct {
	Value string
	Cut   bool // the layer lost its lowest width here
	Step  int
	Share float64
}

func newHeat(h *pipeline.History) heat {
	var out heat
	if h == nil || len(h.Events) == 0 {
		return out
	}
	cut := make([]map[int]bool, len(h.Events))
	out.Min = math.Inf(1)
	for k, e := range h.Events {
		cut[k] = map[int]bool{}
		for _, i := range e.Restricted {
			cut[k][i] = true
		}
		for _, v := range e.Turbulence {
			out.Max = max(out.Max, v)
			if v > 0 {
				out.Min = min(out.Min, v)
			}
		}
	}
	// Layers differ by a few percent; the lightest cell is still told from none.
	out.Min = min(out.Min, out.Max)
	floor := out.Min - (out.Max-out.Min)/8
	for i, name := range h.Layers {
		row := heatRow{Node: name}
		var sum float64
		for k, e := range h.Events {
			if i >= len(e.Turbulence) {
				continue
			}
			v := e.Turbulence[i]
			sum += v
			row.Last = v
			row.Cells = append(row.Cells, cell{height(v-floor, out.Max-floor), cut[k][i], e.Step, v})
		}
		if sum > 0 {
			out.Rows = append(out.Rows, row)
		}
	}
	out.First, out.Last = h.Events[0].Step, h.Events[len(h.Events)-1].Step
	return out
}
