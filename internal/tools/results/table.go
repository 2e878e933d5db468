package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// section is one table of RESULTS.md.
type section struct {
	name, title, note string
	columns           []string // besides the command and where it ran
	units             []unit
}

// unit is what is measured in one go: the rows of these commands.
type unit struct {
	commands []string
	measure  func(ctx context.Context, r *runner) ([]row, error)
}

// row is a line of a table.
type row struct {
	cells   []string // one per column of the section
	command string   // that makes it
	where   string   // commit and machine
}

// render writes the file anew: the rows of one section that were measured, and what the old file holds of all others.
func render(old, measured string, rows []row) string {
	var b strings.Builder
	b.WriteString("# Results\n\nWritten by `go run ./internal/tools/results`; do not edit. `$S` is the folder with models and data.\n")
	for _, s := range sections() {
		kept := previous(old, s.name)
		var list []row
		for _, u := range s.units {
			var fresh []row
			if s.name == measured {
				fresh = of(rows, u.commands)
			}
			if len(fresh) == 0 {
				fresh = slices.DeleteFunc(of(kept, u.commands), func(w row) bool { return len(w.cells) != len(s.columns) })
			}
			list = append(list, fresh...)
		}
		if len(list) > 0 {
			fmt.Fprintf(&b, "\n<!-- section %s -->\n## %s\n%s\n\n%s", s.name, s.title, s.note, s.header())
			for _, w := range list {
				fmt.Fprintf(&b, "| %s | `%s` | %s |\n", strings.Join(w.cells, " | "), w.command, w.where)
			}
			fmt.Fprintf(&b, "<!-- end %s -->\n", s.name)
		}
	}
	return b.String()
}

// header is the head of the table.
func (s section) header() string {
	names := append(slices.Clone(s.columns), "command", "commit, machine")
	return "| " + strings.Join(names, " | ") + " |\n" + strings.Repeat("|---", len(names)) + "|\n"
}

// of are the rows that these commands made.
func of(rows []row, commands []string) []row {
	var list []row
	for _, w := range rows {
		if slices.Contains(commands, w.command) {
			list = append(list, w)
		}
	}
	return list
}

// previous returns the rows that a section has in the old file.
func previous(old, name string) []row {
	_, rest, _ := strings.Cut(old, "<!-- section "+name+" -->\n")
	body, _, _ := strings.Cut(rest, "<!-- end "+name+" -->")
	var rows []row
	for line := range strings.Lines(body) {
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if n := len(cells) - 2; n > 0 && strings.HasPrefix(cells[n], "`") { // the head and the line below it hold no command
			rows = append(rows, row{cells: cells[:n], command: strings.Trim(cells[n], "`"), where: cells[n+1]})
		}
	}
	return rows
}
