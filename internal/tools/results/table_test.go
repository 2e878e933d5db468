package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// written is RESULTS.md as it stands.
func written(t *testing.T) string {
	data, err := os.ReadFile("../../../RESULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestRenderKeeps is what the program rests on: writing the file anew without a measurement changes nothing.
func TestRenderKeeps(t *testing.T) {
	old := written(t)
	if got := render(old, "", nil); got != old {
		t.Errorf("RESULTS.md is not what the program would write; run go run ./internal/tools/results -only none")
	}
	for _, s := range sections() {
		lines := strings.Count(before(after(old, "<!-- section "+s.name+" -->"), "<!-- end "+s.name+" -->"), "\n|")
		if n := len(previous(old, s.name)); n != max(lines-2, 0) {
			t.Errorf("section %s has %d lines in its table, of which %d were read as rows", s.name, lines-2, n)
		}
	}
}

func before(text, mark string) string { text, _, _ = strings.Cut(text, mark); return text }
func after(text, mark string) string  { _, text, _ = strings.Cut(text, mark); return text }

// TestLines: prose ends in time, tables and samples aside.
func TestLines(t *testing.T) {
	inside := false
	for l := range strings.Lines(written(t)) {
		if strings.HasPrefix(l, fence) {
			inside = !inside
		}
		if n := utf8.RuneCountInString(l) - 1; n > width && !inside && !strings.HasPrefix(l, "|") && !strings.HasPrefix(l, "!") {
			t.Errorf("%d columns: %s", n, l)
		}
	}
}

func TestRenderReplaces(t *testing.T) {
	const command = "go run ./internal/tools/big"
	here, there := run{command, "a commit, a machine"}, run{command, "another"}
	first := render("", "size", []row{{[]string{"old"}, here}})
	second := render(first, "size", []row{{[]string{"new"}, there}, {[]string{"newer"}, there}})
	if !strings.Contains(first, "\nCommit a commit, a machine:\n```sh\n"+command+"\n```\n\n| command and memory |\n|---|\n| old |\n") {
		t.Errorf("the row is missing in\n%s", first)
	}
	if strings.Contains(second, "| old |") || !strings.Contains(second, "| new |") || !strings.Contains(second, "| newer |") {
		t.Errorf("rows of a command are not replaced in\n%s", second)
	}
	steady := run{"go run ./internal/tools/soak -for 15m", "here"}
	if other := render(second, "soak", []row{{[]string{"steady"}, steady}}); !strings.Contains(other, "| newer |") {
		t.Errorf("rows of another section are lost in\n%s", other)
	}
}

// TestRuns: rows of several commands and commits come back from the file with what made each, long commands included.
func TestRuns(t *testing.T) {
	var s section
	for _, s = range sections() {
		if s.name == "ablation" {
			break
		}
	}
	var rows []row
	for i, u := range s.units {
		where := "one, a machine"
		if i%3 == 1 {
			where = "two, a machine"
		}
		for _, target := range []string{"3.0bit", "2.5bit"} {
			cells := make([]string, len(s.columns))
			cells[0], cells[3] = target, "90.00 %"
			rows = append(rows, row{cells, run{u.commands[0], where}})
		}
	}
	same := func(a, b row) bool { return a.run == b.run && slices.Equal(a.cells, b.cells) }
	text := s.markdown(rows)
	if got := previous(text, s.name); !slices.EqualFunc(got, rows, same) {
		t.Errorf("%v\ncame back as\n%v\nfrom\n%s", rows, got, text)
	}
	if !strings.Contains(text, continued) || !strings.Contains(text, "| run |\n") {
		t.Errorf("no long command, or no column of runs, in\n%s", text)
	}
	if text = s.markdown(rows[:2]); strings.Contains(text, "run |") || !slices.EqualFunc(previous(text, s.name), rows[:2], same) {
		t.Errorf("one command makes\n%s", text)
	}
}

// TestCommands wants each command once in its section: rows are told apart by it.
func TestCommands(t *testing.T) {
	for _, s := range sections() {
		seen := map[string]bool{}
		for _, u := range s.units {
			for _, c := range u.commands {
				if seen[c] {
					t.Errorf("section %s has %q twice", s.name, c)
				}
				seen[c] = true
			}
		}
	}
}
