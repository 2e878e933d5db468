package main

import (
	"strings"
	"testing"
)

// TestFigures: every figure names a section and columns that exist, and its cells come from the table.
func TestFigures(t *testing.T) {
	tables := map[string][]row{}
	for _, f := range figures() {
		s := sectionOf(f.section)
		if s.name == "" {
			t.Fatalf("%s: there is no section %s", f.what, f.section)
		}
		tables[s.name] = previous(written(t), s.name)
		r := &reader{columns: s.columns, rows: tables[s.name]}
		if said := f.say(r); len(r.rows) > 0 && r.missing {
			t.Errorf("%s: section %s has rows, but not all cells of %q", f.what, f.section, said)
		}
	}
	page := firstPage(tables)
	for _, cell := range []string{tables["example"][0].cells[3], tables["cost"][2].cells[2] + " s of"} {
		if !strings.Contains(page, cell) {
			t.Errorf("%s is not in\n%s", cell, page)
		}
	}
}

func TestPeak(t *testing.T) {
	rows := []row{{cells: []string{"33 layers"}}, {cells: []string{"mpqc import  3 s  peak   99 MB, 1.02 times the weights"}}, {cells: []string{"mpqc doctor  3 s  peak  100 MB, 1.03 times the weights"}}}
	if got := peak(&reader{rows: rows}); got != "100 MB, 1.03 times the weights" {
		t.Error(got)
	}
	if r := (&reader{rows: rows[:1]}); peak(r) != "" || !r.missing {
		t.Error("no peak is not missing")
	}
}

// TestFiguresMissing: a section without rows is named, and nothing is said for it.
func TestFiguresMissing(t *testing.T) {
	page := firstPage(map[string][]row{"example": previous(written(t), "example")})
	if n := strings.Count(page, "\n|"); n != 3 {
		t.Errorf("%d lines of the table, not its head and one figure, in\n%s", n, page)
	}
	for _, f := range figures() {
		if named := strings.Contains(strings.Join(strings.Fields(page), " "), f.what+" (section `"+f.section+"`)"); named != (f.section != "example") {
			t.Errorf("%s is named missing: %v", f.what, named)
		}
	}
}

func TestWrap(t *testing.T) {
	word := strings.Repeat("x", 30)
	line := strings.Join([]string{word, word, word, word[:27]}, " ") // 120 columns
	for _, c := range []struct{ text, glue, want string }{
		{line + " y", "\n", line + "\ny"},
		{line + "z", "\n", strings.Join([]string{word, word, word}, " ") + "\n" + word[:27] + "z"},
		{"a\nb\n\nc", "\n", "a b\n\nc"},
		{line + " y", continued, strings.Join([]string{word, word, word}, " ") + continued + word[:27] + " y"},
	} {
		if got := wrap(c.text, c.glue); got != c.want {
			t.Errorf("%q became %q, not %q", c.text, got, c.want)
		}
	}
}

func TestSlug(t *testing.T) {
	if got := slug("Speed beside onnxruntime's own quantization: 1-2, A"); got != "speed-beside-onnxruntimes-own-quantization-1-2-a" {
		t.Error(got)
	}
}
