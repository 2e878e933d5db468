package policy

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mpqc/mpqc/quantize"
)

// Text formats a policy for people to edit: a line per layer in network order, in the form that --pin takes, with the
// candidates as a comment.
func Text(target string, plan *quantize.Plan, p quantize.Policy) []byte {
	name, total := 0, float64(max(plan.BitOPs(p), 1))
	for _, l := range plan.Layers {
		name = max(name, len(lineName(l.Node)))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Policy of target %s: LAYER = WEIGHT BITS / ACTIVATION BITS, in network order.\n", strings.Join(strings.Fields(target), " "))
	b.WriteString("# Edit a copy and export it: mpqc compress --policy FILE. A line serves as --pin, too.\n")
	b.WriteString("# The activation bits are those of the tensor that the layer reads; layers that share one need the same.\n\n")
	for i := range plan.Layers {
		l := &plan.Layers[i]
		w, a := plan.Bits(p, i)
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
				notes = append(notes, "same a as "+lineName(plan.Layers[k].Node))
				break
			}
		}
		notes = append(notes, fmt.Sprintf("%.1f %% of BitOPs", 100*float64(w)*float64(a)*float64(l.MACs)/total))
		fmt.Fprintf(&b, "%-*s = %d/%d  # %s\n", name, lineName(l.Node), w, a, strings.Join(notes, "; "))
	}
	return b.Bytes()
}

// bitList joins widths for a comment.
func bitList(bits []int) string {
	text := make([]string, len(bits))
	for i, b := range bits {
		text[i] = strconv.Itoa(b)
	}
	return strings.Join(text, ",")
}

// lineName returns a node's name for a line. It is quoted, with Go's escapes, if it could not be read back otherwise.
func lineName(name string) string {
	quoted := strconv.Quote(name)
	if quoted != `"`+name+`"` || strings.ContainsAny(name, "#=") || strings.TrimSpace(name) != name || name == "" || name[0] == '[' || name[0] == '{' {
		return quoted
	}
	return name
}

// pattern matches a line without its quoted name. The first " = W/A" followed by nothing but a comment counts.
var pattern = regexp.MustCompile(`^(.*?)\s*=\s*(\d{1,2})\s*/\s*(\d{1,2})\s*(#.*)?$`)

// Line splits a line into name and widths. ok is false if it is no such line.
func Line(line string) (name string, w, a int, ok bool) {
	rest := line
	if quoted, err := strconv.QuotedPrefix(line); err == nil && line[0] == '"' {
		if name, err = strconv.Unquote(quoted); err != nil {
			return "", 0, 0, false
		}
		rest = line[len(quoted):]
	}
	m := pattern.FindStringSubmatch(rest)
	if m == nil || (len(rest) == len(line)) == (m[1] == "") { // a name before it or in it, not both
		return "", 0, 0, false
	}
	if m[1] != "" {
		name = m[1]
	}
	w, errW := strconv.Atoi(m[2])
	a, errA := strconv.Atoi(m[3])
	return name, w, a, errW == nil && errA == nil
}

// textRows parses lines. The error names lines that do not belong to a policy by number.
func textRows(data []byte) ([]editedRow, error) {
	var rows []editedRow
	for k, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, w, a, ok := Line(line)
		if !ok {
			return nil, fmt.Errorf("line %d: %q is not LAYER = W/A, such as conv1 = 4/8", k+1, line)
		}
		rows = append(rows, editedRow{Node: name, W: &w, A: &a, line: k + 1})
	}
	return rows, nil
}
