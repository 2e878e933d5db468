package main

import (
	"strconv"
	"strings"
)

// previous returns the rows that a section has in the old file.
func previous(old, name string) []row {
	_, rest, _ := strings.Cut(old, "<!-- section "+name+" -->\n")
	body, _, _ := strings.Cut(rest, "<!-- end "+name+" -->")
	head, table, _ := strings.Cut(body, "\n| ")
	made := madeBy(head)
	var rows []row
	for i, text := range strings.Split("| "+table, "\n") {
		if i < 2 || text == "" { // the names of the columns, and the line below them
			continue
		}
		cells := strings.Split(strings.Trim(text, "|"), "|")
		for k := range cells {
			cells[k] = strings.TrimSpace(cells[k])
		}
		number := 1
		if len(made) > 1 {
			last := len(cells) - 1
			number, _ = strconv.Atoi(cells[last])
			cells = cells[:last]
		}
		if number >= 1 && number <= len(made) {
			rows = append(rows, row{cells, made[number-1]})
		}
	}
	return rows
}

// madeBy reads the runs that stand above a table.
func madeBy(text string) []run {
	var list []run
	var where string
	inside := false
	for l := range strings.Lines(strings.ReplaceAll(text, continued, " ")) {
		l = strings.TrimSuffix(l, "\n")
		switch {
		case strings.HasPrefix(l, fence):
			inside = !inside
		case inside:
			command, _, _ := strings.Cut(l, numberMark)
			list = append(list, run{command, where})
		case strings.HasPrefix(l, commitMark):
			where = strings.TrimSuffix(strings.TrimPrefix(l, commitMark), ":")
		}
	}
	return list
}
