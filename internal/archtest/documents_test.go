package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// columns is where lines of a document end. Rows of tables and blocks of code may be longer.
const columns = 120

var (
	codeSpan = regexp.MustCompile("`[^`]*`")
	// coined are words that documents once used for a term of the field, with the term.
	coined = []struct {
		word *regexp.Regexp
		term string
	}{
		{regexp.MustCompile(`(?i)\bpictures?\b`), `sample, or image where a file is decoded`},
		{regexp.MustCompile(`(?i)\bkept apart\b`), `held-out`},
	}
)

// TestDocuments: lines of the documents end at column 120, and prose uses the terms of the field.
func TestDocuments(t *testing.T) {
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "RATIONALE.md", "CONTRIBUTING.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range faults(string(text)) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

// faults lists what is wrong with a document, a line each.
func faults(text string) (found []string) {
	code := false
	for i, line := range strings.Split(text, "\n") {
		row := strings.HasPrefix(line, "|")
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
			continue
		}
		if code {
			continue
		}
		if n := utf8.RuneCountInString(line); n > columns && !row {
			found = append(found, fmt.Sprintf("line %d has %d columns, at most %d", i+1, n, columns))
		}
		prose := codeSpan.ReplaceAllString(line, "")
		for _, c := range coined {
			if word := c.word.FindString(prose); word != "" {
				found = append(found, fmt.Sprintf("line %d says %q: say %s", i+1, word, c.term))
			}
		}
	}
	return found
}

func TestFaults(t *testing.T) {
	long := strings.Repeat("x", columns+1)
	for _, tc := range []struct {
		name, text string
		want       []string // what each fault begins with
	}{
		{"fine", "A sample.\n" + long[:columns], nil},
		{"umlauts", strings.Repeat("ä", columns), nil},
		{"long line", "A sample.\n" + long, []string{"line 2 has 121 columns"}},
		{"long row", "| " + long + " |", nil},
		{"long code", "```\n" + long + "\n```", nil},
		{"behind code", "```\n```\n" + long, []string{"line 3 has"}},
		{"word", "One picture.", []string{`line 1 says "picture"`}},
		{"word in a row", "| Pictures |", []string{`line 1 says "Pictures"`}},
		{"word in code", "`--data pictures.zip`\n```\nmpqc pictures.zip\n```", nil},
		{"two words", "| pictures kept apart |", []string{`line 1 says "pictures"`, `line 1 says "kept apart"`}},
		{"part of a word", "Picturesque.", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := faults(tc.text); !slices.EqualFunc(got, tc.want, strings.HasPrefix) {
				t.Errorf("faults %q, want %q", got, tc.want)
			}
		})
	}
}
