// Package report renders a result: report.json for programs, and report.html, one file without outside references,
// for people.
package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"path/filepath"
	"slices"

	"github.com/mpqc/mpqc/pipeline"
)

//go:embed report.html.tmpl
var page string

// document is report.json: the result, how it was found, and the manifest.
type document struct {
	Result   *pipeline.Result  `json:"result"`
	Searches []found           `json:"searches"`
	Manifest pipeline.Manifest `json:"manifest"`
}

// found is what the report shows of one search.
type found struct {
	Target string      `json:"target"`
	Steps  []step      `json:"steps"`
	Pareto []paretoRow `json:"pareto"`
}

type step struct {
	Phase  string  `json:"phase"`
	Name   string  `json:"name"`
	Kind   string  `json:"kind"`
	From   int     `json:"from"`
	To     int     `json:"to"`
	Loss   float64 `json:"loss"`
	BitOPs int64   `json:"bitops"`
}

type paretoRow struct {
	BitOPs int64   `json:"bitops"`
	Loss   float64 `json:"loss"`
}

// Path is where the HTML report of a result lies.
func Path(r *pipeline.Result) string { return filepath.Join(r.Workspace, "report.html") }

// Write renders both files into the workspace of the result.
func Write(r *pipeline.Result) error {
	w, err := pipeline.OpenWorkspace(r.Workspace)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	doc := newDocument(r, w.Manifest)
	if err := w.WriteJSON("report.json", doc); err != nil {
		return err
	}
	return write(w, doc)
}

// Render writes report.html of a workspace anew from its report.json and returns its path.
func Render(workspace string) (string, error) {
	w, err := pipeline.OpenWorkspace(workspace)
	if err != nil {
		return "", fmt.Errorf("render report: %w", err)
	}
	var doc document
	if err := w.ReadJSON("report.json", &doc); err != nil {
		return "", fmt.Errorf("render report: %w", err)
	}
	if doc.Result == nil || len(doc.Searches) != len(doc.Result.Results) {
		return "", errors.New("render report: report.json holds no result")
	}
	return w.Path("report.html"), write(w, doc)
}

func write(w *pipeline.Workspace, doc document) error {
	html, err := render(doc)
	if err != nil {
		return err
	}
	return w.Write("report.html", html)
}

func newDocument(r *pipeline.Result, m pipeline.Manifest) document {
	doc := document{Result: r, Manifest: m}
	for _, t := range r.Results {
		s := found{Target: t.Target}
		if t.Search != nil {
			for _, x := range t.Search.Steps {
				s.Steps = append(s.Steps, step{x.Phase, x.Name, x.Kind, x.From, x.To, x.Loss, x.BitOPs})
			}
			for _, p := range t.Search.Pareto {
				s.Pareto = append(s.Pareto, paretoRow{p.BitOPs, p.Loss})
			}
		}
		doc.Searches = append(doc.Searches, s)
	}
	return doc
}

func render(doc document) ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"percent": percent, "giga": giga, "mega": mega, "bars": bars, "json": indented,
		"pareto": func(i int) curve { return newCurve(doc.Searches[i].Pareto, doc.Result.Results[i].BitOPs) },
		"search": func(i int) found { return doc.Searches[i] },
	}).Parse(page)
	if err != nil {
		return nil, fmt.Errorf("parse report template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, doc); err != nil {
		return nil, fmt.Errorf("render report: %w", err)
	}
	return b.Bytes(), nil
}

func percent(v any) string {
	switch x := v.(type) {
	case *float64:
		if x == nil {
			return "–"
		}
		return fmt.Sprintf("%.2f %%", 100**x)
	case float64:
		return fmt.Sprintf("%.2f %%", 100*x)
	default:
		return "–"
	}
}

func giga(n int64) string { return fmt.Sprintf("%.3f G", float64(n)/1e9) }

func mega(n int64) string { return fmt.Sprintf("%.3f MB", float64(n)/1e6) }

func indented(v any) (string, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return string(b), err
}

// bar is one layer in the chart of bits: weights in the upper half of its row, activations in the lower.
type bar struct {
	Node      string
	W, A      int
	Y         int
	WidthW    int
	WidthA    int
	MACsShare float64
}

// chart is the chart of bits of one policy. Units are SVG user units: a row is 22 high, a bit 40 wide.
type chart struct {
	Height int
	Bars   []bar
	Grid   []int // x of 0, 2, 4, 6 and 8 bits
}

func bars(rows []pipeline.PolicyRow) chart {
	const row, bit, left = 22, 40, 260
	c := chart{Height: row*len(rows) + 24}
	var macs int64
	for _, r := range rows {
		macs += r.MACs
	}
	for i, r := range rows {
		share := 0.0
		if macs > 0 {
			share = 100 * float64(r.MACs) / float64(macs)
		}
		c.Bars = append(c.Bars, bar{r.Node, r.W, r.A, row*i + 20, bit * r.W, bit * r.A, share})
	}
	for b := 0; b <= 8; b += 2 {
		c.Grid = append(c.Grid, left+bit*b)
	}
	return c
}

// curve is the Pareto front as an SVG polyline in a box of 600 x 200.
type curve struct {
	Points         string
	Mark           float64 // x of the result
	MinOps, MaxOps int64
	MinLoss        float64
	MaxLoss        float64
}

func newCurve(rows []paretoRow, at int64) curve {
	if len(rows) < 2 {
		return curve{}
	}
	ops := func(a, b paretoRow) int { return int(min(max(a.BitOPs-b.BitOPs, -1), 1)) }
	c := curve{MinOps: slices.MinFunc(rows, ops).BitOPs, MaxOps: slices.MaxFunc(rows, ops).BitOPs}
	c.MinLoss, c.MaxLoss = rows[0].Loss, rows[0].Loss
	for _, r := range rows {
		c.MinLoss, c.MaxLoss = min(c.MinLoss, r.Loss), max(c.MaxLoss, r.Loss)
	}
	x := func(n int64) float64 { return 600 * float64(n-c.MinOps) / float64(max(c.MaxOps-c.MinOps, 1)) }
	var b bytes.Buffer
	for _, r := range rows {
		y := 200.0
		if c.MaxLoss > c.MinLoss {
			y = 200 * (1 - (r.Loss-c.MinLoss)/(c.MaxLoss-c.MinLoss))
		}
		fmt.Fprintf(&b, "%.1f,%.1f ", x(r.BitOPs), y)
	}
	c.Points, c.Mark = b.String(), x(at)
	return c
}
