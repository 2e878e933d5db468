package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"github.com/mpqc/mpqc/internal/legible"
)

//go:embed front.svg.tmpl
var drawing string

//go:embed turbulence.svg.tmpl
var turbulenceDrawing string

// renderFront draws the plot of losses over budgets as SVG, nil if there is nothing to draw.
func renderFront(f front) ([]byte, error) {
	if len(f.Lines) == 0 {
		return nil, nil
	}
	return draw("front", drawing, f)
}

// Heights in the drawing of turbulence.
const (
	rowHeight  = 15
	mapHeader  = 28 // above the rows of a map
	mapFooter  = 26 // below them
	drawingEnd = 24
)

// placed is a map at its place in the drawing.
type placed struct {
	heat
	Top, Rows, Below int
}

// renderTurbulence draws the maps of turbulence as SVG, nil if there is nothing to draw.
func renderTurbulence(t turbulence) ([]byte, error) {
	if len(t.Maps) == 0 {
		return nil, nil
	}
	page := struct {
		Min, Max     float64
		Maps         []placed
		Height, Foot int
	}{Min: t.Min, Max: t.Max}
	y := 0
	for _, m := range t.Maps {
		rows := rowHeight * len(m.Layers)
		page.Maps = append(page.Maps, placed{m, y, rows, mapHeader + rows + rowHeight})
		y += mapHeader + rows + mapFooter
	}
	page.Foot, page.Height = y+rowHeight/2, y+drawingEnd
	return draw("turbulence", turbulenceDrawing, page)
}

// draw executes a template.
func draw(name, text string, data any) ([]byte, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"number": number,
		"row":    func(i int) int { return mapHeader + rowHeight*i + rowHeight - 4 },
		"tail":   tail,
	}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("parse template of the drawing %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("draw %s: %w", name, err)
	}
	return []byte(legible.Text(b.String())), nil
}

// tail shortens a name to fit beside a map. It keeps the end, which tells the layers of a block apart.
func tail(name string) string {
	const most = 30
	r := []rune(name)
	if len(r) <= most {
		return name
	}
	return "…" + string(r[len(r)-most:])
}
