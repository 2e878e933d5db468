package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// width is where lines end; those of tables and single words go beyond.
const width = 120

// continued ends a line of a command that goes on below.
const continued = " \\\n  "

// Words around what made a table. The parser looks for the same ones.
const (
	commitMark = "Commit "
	fence      = "```"
	numberMark = "  # "
)

// markdown is a section of the file: what it shows, what made it, the table.
func (s section) markdown(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n<!-- section %s -->\n## %s\n%s\n", s.name, s.title, wrap(s.note, "\n"))
	list := runs(rows)
	numbered := len(list) > 1
	for i, r := range list {
		if i == 0 || r.where != list[i-1].where {
			fmt.Fprintf(&b, "\n%s%s:\n%ssh\n", commitMark, r.where, fence)
		}
		b.WriteString(wrap(r.command, continued))
		if numbered {
			fmt.Fprintf(&b, "%s%d", numberMark, i+1)
		}
		b.WriteString("\n")
		if i == len(list)-1 || r.where != list[i+1].where {
			b.WriteString(fence + "\n")
		}
	}
	b.WriteString("\n")
	names := slices.Clone(s.columns)
	if numbered {
		names = append(names, "run")
	}
	b.WriteString(line(names) + strings.Repeat("|---", len(names)) + "|\n")
	for _, w := range rows {
		cells := slices.Clone(w.cells)
		if numbered {
			cells = append(cells, strconv.Itoa(slices.Index(list, w.run)+1))
		}
		b.WriteString(line(cells))
	}
	fmt.Fprintf(&b, "<!-- end %s -->\n", s.name)
	return b.String()
}

// line is one of a table.
func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

// wrap breaks the paragraphs of a text between words, so that lines end in time. glue stands at the breaks.
func wrap(text, glue string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		var b strings.Builder
		length, tail := 0, strings.Index(glue, "\n")
		for k, word := range strings.Fields(p) {
			switch {
			case k == 0:
			case length+1+utf8.RuneCountInString(word)+tail > width:
				b.WriteString(glue)
				length = len(glue) - 1 - tail
			default:
				b.WriteString(" ")
				length++
			}
			b.WriteString(word)
			length += utf8.RuneCountInString(word)
		}
		paragraphs[i] = b.String()
		if strings.HasSuffix(p, "\n") {
			paragraphs[i] += "\n"
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// slug is the name by which a heading is linked to.
func slug(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		}
	}
	return b.String()
}
