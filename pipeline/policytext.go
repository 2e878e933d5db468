package pipeline

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mpqc/mpqc/quantize"
)

// A policy as people edit it: a line per layer in network order, in the form that --pin takes, with what may be chosen as
// a comment.

// policyText writes it.
func policyText(target string, plan *quantize.Plan, p quantize.Policy) []byte {
	rows := policyRows(plan, p)
	name, total := 0, float64(max(plan.BitOPs(p), 1))
	for _, r := range rows {
		name = max(name, len(r.Node))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Policy of target %s: LAYER = WEIGHT BITS / ACTIVATION BITS, in network order.\n", target)
	b.WriteString("# Edit a copy and export it: mpqc compress --policy FILE. A single line serves as --pin 'LAYER=W/A'.\n")
	b.WriteString("# The activation bits are those of the tensor that the layer reads; layers that share one need the same.\n\n")
	for i, r := range rows {
		l := &plan.Layers[i]
		t := &plan.Points[l.Point]
		var notes []string
		if l.Fixed {
			notes = append(notes, "fixed: first or last")
		} else {
			notes = append(notes, "w "+bitList(l.Candidates))
			if !t.Fixed {
				notes = append(notes, "a "+bitList(t.Candidates))
			}
		}
		for _, k := range t.Layers {
			if k != i && !l.Fixed {
				notes = append(notes, "same a as "+plan.Layers[k].Node)
				break
			}
		}
		notes = append(notes, fmt.Sprintf("%.1f %% of BitOPs", 100*float64(r.W)*float64(r.A)*float64(r.MACs)/total))
		fmt.Fprintf(&b, "%-*s = %d/%d  # %s\n", name, r.Node, r.W, r.A, strings.Join(notes, "; "))
	}
	return b.Bytes()
}

func bitList(bits []int) string {
	text := make([]string, len(bits))
	for i, b := range bits {
		text[i] = strconv.Itoa(b)
	}
	return strings.Join(text, ",")
}

// policyLine is a line of the text. Node names may hold anything but a line break, so the last " = W/A" counts.
var policyLine = regexp.MustCompile(`^(.*\S)\s*=\s*(\d{1,2})\s*/\s*(\d{1,2})\s*(#.*)?$`)

// textRows reads the lines. What is no line of a policy is named by its number.
func textRows(data []byte) ([]editedRow, error) {
	var rows []editedRow
	for k, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := policyLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("line %d: %q is not LAYER = W/A, such as conv1 = 4/8", k+1, line)
		}
		w, errW := strconv.Atoi(m[2])
		a, errA := strconv.Atoi(m[3])
		if errW != nil || errA != nil {
			return nil, fmt.Errorf("line %d: %s/%s are no widths", k+1, m[2], m[3])
		}
		rows = append(rows, editedRow{Node: m[1], W: &w, A: &a, line: k + 1})
	}
	return rows, nil
}
