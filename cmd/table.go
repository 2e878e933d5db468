package cmd

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mpqc/mpqc/internal/legible"
)

// table aligns columns: text to the left, numbers to the right.
type table struct {
	head []string
	rows [][]string // nil is a rule
}

func newTable(head ...string) *table { return &table{head: head} }

func (t *table) row(cells ...string) {
	shown := make([]string, len(cells))
	for i, c := range cells {
		shown[i] = legible.Line(c)
	}
	t.rows = append(t.rows, shown)
}

func (t *table) rule() { t.rows = append(t.rows, nil) }

func (t *table) write(w io.Writer) error {
	width := make([]int, len(t.head))
	right := make([]bool, len(t.head))
	for i, h := range t.head {
		width[i], right[i] = utf8.RuneCountInString(h), true
	}
	for _, r := range t.rows {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c))
			if c != "" && !strings.ContainsRune("0123456789-–≤", []rune(c)[0]) {
				right[i] = false
			}
		}
	}
	right[0] = false
	var b strings.Builder
	line := func(cells []string) {
		var l strings.Builder
		for i, c := range cells {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if i > 0 {
				l.WriteString("  ")
			}
			if right[i] {
				l.WriteString(pad + c)
			} else {
				l.WriteString(c + pad)
			}
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	rule := make([]string, len(t.head))
	for i := range rule {
		rule[i] = strings.Repeat("─", width[i])
	}
	line(t.head)
	line(rule)
	for _, r := range t.rows {
		if r == nil {
			r = rule
		}
		line(r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// count shows a number with three digits and a unit: 40.6 M.
func count(n int64) string {
	v := float64(n)
	for _, u := range []struct {
		size float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if v >= u.size {
			decimals := max(0, 3-len(strconv.Itoa(int(v/u.size))))
			return strconv.FormatFloat(v/u.size, 'f', decimals, 64) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func bytesText(n int64) string { return count(n) + "B" }

func shapeText(s []int) string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = strconv.Itoa(d)
	}
	return strings.Join(parts, "x")
}

func bitsText(bits []int) string {
	parts := make([]string, len(bits))
	for i, b := range bits {
		parts[i] = strconv.Itoa(b)
	}
	return strings.Join(parts, ",")
}

func rate(v float64) string { return fmt.Sprintf("%.0f/s", v) }
