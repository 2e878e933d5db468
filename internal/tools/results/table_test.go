package main

import (
	"os"
	"strings"
	"testing"
)

// TestRenderKeeps is what the program rests on: writing the file anew without a measurement changes nothing.
func TestRenderKeeps(t *testing.T) {
	data, err := os.ReadFile("../../../RESULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	if got := render(string(data), "", nil); got != string(data) {
		t.Errorf("RESULTS.md is not what the program would write; run go run ./internal/tools/results -only none")
	}
}

func TestRenderReplaces(t *testing.T) {
	const command = "go run ./internal/tools/big"
	before := render("", "size", []row{{[]string{"old"}, command, "a commit, a machine"}})
	after := render(before, "size", []row{{[]string{"new"}, command, "another"}, {[]string{"newer"}, command, "another"}})
	if !strings.Contains(before, "| old | `go run ./internal/tools/big` | a commit, a machine |") {
		t.Errorf("the row is missing in\n%s", before)
	}
	if strings.Contains(after, "| old |") || !strings.Contains(after, "| new |") || !strings.Contains(after, "| newer |") {
		t.Errorf("rows of a command are not replaced in\n%s", after)
	}
	if other := render(after, "soak", []row{{[]string{"steady"}, "go run ./internal/tools/soak -for 15m", "here"}}); !strings.Contains(other, "| newer |") {
		t.Errorf("rows of another section are lost in\n%s", other)
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
