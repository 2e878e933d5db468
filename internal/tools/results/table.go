package main

import (
	"context"
	"slices"
	"strings"
)

// section is one table of RESULTS.md.
type section struct {
	name, title, note string
	columns           []string // besides the run that made a row, where the section has several
	units             []unit
}

// unit is what is measured in one go: the rows of these commands.
type unit struct {
	commands []string
	measure  func(ctx context.Context, r *runner) ([]row, error)
}

// row is a line of a table.
type row struct {
	cells []string // one per column of the section
	run
}

// run is what made a row.
type run struct {
	command string
	where   string // commit, machine and version of Go
}

// preface is what the file begins with.
const preface = "# Results\n\nWritten by `go run ./internal/tools/results`; do not edit. `$S` is the folder with models and data. " +
	"Above each table stand the commands that made it, with the commit, the machine and the version of Go. " +
	"Where there are several, the last column says which one made the row.\n"

// render writes the file anew: the rows of one section that were measured, and what the old file holds of all others.
func render(old, measured string, rows []row) string {
	tables := map[string][]row{}
	for _, s := range sections() {
		var fresh []row
		if s.name == measured {
			fresh = rows
		}
		tables[s.name] = s.merge(previous(old, s.name), fresh)
	}
	var b strings.Builder
	b.WriteString(wrap(preface, "\n"))
	b.WriteString(firstPage(tables))
	for _, s := range sections() {
		if list := tables[s.name]; len(list) > 0 {
			b.WriteString(s.markdown(list))
		}
	}
	return b.String()
}

// merge puts fresh rows in the place of kept ones of the same unit. Kept rows of other columns than today's are left
// out.
func (s section) merge(kept, fresh []row) []row {
	var list []row
	for _, u := range s.units {
		rows := of(fresh, u.commands)
		if len(rows) == 0 {
			rows = slices.DeleteFunc(of(kept, u.commands), func(w row) bool { return len(w.cells) != len(s.columns) })
		}
		list = append(list, rows...)
	}
	return list
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

// runs are what made the rows, each once, in their order.
func runs(rows []row) []run {
	var list []run
	for _, w := range rows {
		if !slices.Contains(list, w.run) {
			list = append(list, w.run)
		}
	}
	return list
}
