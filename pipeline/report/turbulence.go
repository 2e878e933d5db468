package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/mpqc/mpqc/pipeline/workspace"
)

// turbulence shows how unstable the weights of each layer were over training: a row per layer with a choice of widths,
// a column per event of the scheduler. Up to two trainings share one scale.
type turbulence struct {
	Maps     []heat
	Min, Max float64
	Tall     bool // too many rows to stand beside another figure
}

// heat is the map of one training. All cells of similar turbulence are one path, so that the drawing of a large network
// stays small.
type heat struct {
	Title   string
	Layers  []string
	Columns int
	Shades  []shade
	Cuts    string // bars below cells whose layer lost its lowest width
	X       []tick // updates, at the middle of their columns
}

// shade is the path of all cells of one opacity.
type shade struct {
	Opacity string
	Path    string
}

const (
	// shades is the number of opacities.
	shades = 16
	// tallRows is the number of rows from which the map is much higher than the plot of losses.
	tallRows = 20
)

// turbulence shows the training of the document, and the one beside it.
func (d document) turbulence() turbulence {
	return newTurbulence(newTraining(d.Artifacts.Training, d.Manifest), d.beside)
}

// newTurbulence shows the trainings that have events. beside may be nil.
func newTurbulence(own, beside *training) turbulence {
	out := turbulence{Min: math.Inf(1)}
	var shown []*training
	for _, t := range []*training{own, beside} {
		if t == nil || t.History == nil || len(t.History.Events) == 0 {
			continue
		}
		shown = append(shown, t)
		for _, e := range t.History.Events {
			for _, v := range e.Turbulence {
				out.Max = max(out.Max, v)
				if v > 0 {
					out.Min = min(out.Min, v)
				}
			}
		}
	}
	if out.Max <= 0 {
		return turbulence{}
	}
	for _, t := range shown {
		h := newHeat(t, out.Min, out.Max)
		out.Maps, out.Tall = append(out.Maps, h), out.Tall || len(h.Layers) > tallRows
	}
	return out
}

// newHeat draws one training on the scale from least to most.
func newHeat(t *training, least, most float64) heat {
	events := t.History.Events
	out := heat{Title: t.Title, Columns: len(events)}
	// Layers differ by a few percent; the lightest cell is still told from none.
	floor := least - (most-least)/8
	if most == least {
		floor = 0 // all are the greatest
	}
	var paths [shades + 1]strings.Builder
	var cuts strings.Builder
	for i, name := range t.History.Layers {
		var sum float64
		for _, e := range events {
			if i < len(e.Turbulence) {
				sum += e.Turbulence[i]
			}
		}
		if sum == 0 {
			continue
		}
		row := len(out.Layers)
		out.Layers = append(out.Layers, name)
		for k, e := range events {
			if i < len(e.Turbulence) && e.Turbulence[i] > floor {
				level := int(math.Round(shades * (e.Turbulence[i] - floor) / (most - floor)))
				fmt.Fprintf(&paths[max(level, 1)], "M%d %dh.94v.94h-.94z", k, row)
			}
			for _, r := range e.Restricted {
				if r == i {
					fmt.Fprintf(&cuts, "M%d %d.74h.94v.2h-.94z", k, row)
				}
			}
		}
	}
	for level := range paths {
		if p := paths[level].String(); p != "" {
			out.Shades = append(out.Shades, shade{fmt.Sprintf("%.3f", float64(level)/shades), p})
		}
	}
	out.Cuts, out.X = cuts.String(), updateTicks(events)
	return out
}

// updateTicks labels about five columns with their updates, including the first and the last.
func updateTicks(events []TurbulenceEvent) []tick {
	const most = 5
	n := len(events)
	parts := min(most, n) - 1
	var out []tick
	for i := range parts + 1 {
		k := 0
		if parts > 0 {
			k = (i*(n-1) + parts/2) / parts
		}
		out = append(out, tick{100 * (float64(k) + 0.5) / float64(n), count(events[k].Step)})
	}
	return out
}

// training is the history of a training with a title that tells it from another.
type training struct {
	Title   string
	History *History
}

// newTraining names a training by its scheduler.
func newTraining(h *History, m workspace.Manifest) *training {
	if h == nil {
		return nil
	}
	t := &training{"with the scheduler", h}
	if off := m.Options.NoScheduler; off != nil && *off {
		t.Title = "without the scheduler"
	}
	return t
}
