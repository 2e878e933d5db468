// Package policy reads and writes policies as people edit them.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/quantize"
)

// policyMost is the largest size of a policy file in bytes: a line per layer, or all that --json prints.
const policyMost = 64 << 20

// Read reads an edited policy: the lines of Text, or JSON. JSON rows have node, w and a; they stand alone, as "policy"
// of an object, or in the only one of the "results" that --json prints.
//
// All problems come in one error, which names the lines.
func Read(path string, plan *quantize.Plan) (quantize.Policy, error) {
	data, err := file.Read(path, policyMost)
	if err != nil {
		return quantize.Policy{}, fmt.Errorf("read policy: %w", err)
	}
	rows, err := rowsOf(data)
	if err == nil {
		var p quantize.Policy
		if p, err = policyOf(rows, plan); err == nil {
			return p, nil
		}
	}
	return quantize.Policy{}, fmt.Errorf("policy %s: %w", path, err)
}

// editedRow is a row as people write it. Pointers distinguish a missing width from 0.
type editedRow struct {
	Node string `json:"node"`
	W    *int   `json:"w"`
	A    *int   `json:"a"`

	line int // line number; 0: unknown
}

// at puts the line of a row in front of a text.
func (r editedRow) at(text string) string {
	if r.line == 0 {
		return text
	}
	return fmt.Sprintf("line %d: %s", r.line, text)
}

// rowsOf parses the rows of a policy file in either form.
func rowsOf(data []byte) ([]editedRow, error) {
	var rows []editedRow
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 {
		return nil, errors.New("it is empty")
	}
	switch trimmed[0] {
	case '[':
		return jsonRows(data)
	case '{':
	default:
		return textRows(data)
	}
	var doc struct {
		Policy  json.RawMessage `json:"policy"`
		Results []struct {
			Target string      `json:"target"`
			Policy []editedRow `json:"policy"`
		} `json:"results"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, located(data, err)
	}
	switch {
	case len(doc.Results) == 1:
		return doc.Results[0].Policy, nil
	case len(doc.Results) > 1:
		return nil, fmt.Errorf("it holds %d results; keep one", len(doc.Results))
	case doc.Policy == nil:
		return nil, errors.New(`it holds no policy; want lines LAYER = W/A, as in search/*.policy of the workspace, or [{"node": NAME, "w": BITS, "a": BITS}, ...]`)
	}
	if err := json.Unmarshal(doc.Policy, &rows); err != nil {
		return nil, errors.New(`its "policy" is no list of {"node", "w", "a"}; edit search/*.policy of the workspace instead`)
	}
	return rows, nil
}

// jsonRows parses a JSON list of rows and finds the line of each.
func jsonRows(data []byte) ([]editedRow, error) {
	var rows []editedRow
	if err := json.Unmarshal(data, &rows); err != nil {
		return nil, located(data, err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return nil, located(data, err)
	}
	for i := range rows {
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return nil, located(data, err)
		}
		start := int(d.InputOffset()) - len(skip)
		rows[i].line = 1 + bytes.Count(data[:start], []byte("\n"))
	}
	return rows, nil
}

// located adds line and column to an error of JSON's grammar or types.
func located(data []byte, err error) error {
	var offset int64
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	default:
		return err
	}
	before := data[:min(max(offset-1, 0), int64(len(data)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

// policyOf converts rows to a policy of the plan. All problems come in one error.
func policyOf(rows []editedRow, plan *quantize.Plan) (quantize.Policy, error) {
	p := plan.Max()
	var bad []string
	set, reader := map[string]bool{}, map[int]string{}
	for _, r := range rows {
		i := slices.IndexFunc(plan.Layers, func(l quantize.Layer) bool { return l.Node == r.Node })
		switch {
		case i < 0:
			bad = append(bad, r.at(fmt.Sprintf("node %q is no quantized layer", r.Node)))
			continue
		case set[r.Node]:
			bad = append(bad, r.at(fmt.Sprintf("node %s stands twice", r.Node)))
			continue
		case r.W == nil || r.A == nil:
			bad = append(bad, r.at(fmt.Sprintf("node %s lacks \"w\" or \"a\"", r.Node)))
			continue
		}
		set[r.Node] = true
		for _, problem := range choose(plan, &p, i, *r.W, *r.A, reader) {
			bad = append(bad, r.at(problem))
		}
	}
	for _, l := range plan.Layers {
		if !l.Fixed && !set[l.Node] {
			bad = append(bad, "node "+l.Node+" is missing")
		}
	}
	if len(bad) > 0 {
		return p, errors.New(strings.Join(bad, "; "))
	}
	return p, nil
}

// choose sets the widths of layer i and returns what is wrong with them. reader holds, per point, the layer that set
// its width first.
func choose(plan *quantize.Plan, p *quantize.Policy, i, w, a int, reader map[int]string) (bad []string) {
	l := &plan.Layers[i]
	point := &plan.Points[l.Point]
	weights, activations := l.Candidates, point.Candidates
	if l.Fixed || point.Fixed {
		activations = []int{8}
	}
	if !slices.Contains(weights, w) {
		bad = append(bad, fmt.Sprintf("node %s: w %d is not one of %v", l.Node, w, weights))
	}
	if !slices.Contains(activations, a) {
		bad = append(bad, fmt.Sprintf("node %s: a %d is not one of %v", l.Node, a, activations))
	}
	if first, ok := reader[l.Point]; ok && p.A[l.Point] != a && len(bad) == 0 {
		bad = append(bad, fmt.Sprintf("nodes %s and %s read the same tensor %s and need the same a, not %d and %d",
			first, l.Node, point.Tensor, p.A[l.Point], a))
	}
	if len(bad) == 0 {
		p.W[i] = w
		if slices.Contains(point.Candidates, a) {
			p.A[l.Point], reader[l.Point] = a, l.Node
		}
	}
	return bad
}
