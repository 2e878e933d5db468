package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
)

//go:embed front.svg.tmpl
var drawing string

// renderFront draws the chart of losses over budgets as a picture of its own, nil where there is nothing to draw.
func renderFront(f front) ([]byte, error) {
	if len(f.Lines) == 0 {
		return nil, nil
	}
	t, err := template.New("front").Parse(drawing)
	if err != nil {
		return nil, fmt.Errorf("parse template of the front: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, f); err != nil {
		return nil, fmt.Errorf("render the front: %w", err)
	}
	return b.Bytes(), nil
}
