package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// attack is a test that tries what a hostile or unlucky user brings; each of its parts is one try.
type attack struct{ what, test, pkg string }

// attacks are shown with the number of tries that ended as they should: with an error that names the cause, or with the
// right result.
func attacks() []unit {
	var units []unit
	for _, a := range []attack{
		{"numbers of every flag of every command: negative, not finite, huge, empty, text", "TestNumbers", "./cmd"},
		{"names with terminal escapes, control and bidirectional characters, in every output", "TestEvilNames", "./cmd"},
		{"streams that nobody reads", "TestClosedStreams", "./cmd/fault"},
		{"pipes, devices, folders and links in place of files", "TestIrregularPaths", "./cmd/fault"},
		{"something else in place of the lock", "TestLockInTheWay", "./internal/file"},
		{"archives that cannot be unpacked or decoded", "TestPacking", "./models/dataset"},
		{"memory that samples take beside what their headers claim", "TestDecodingBytes", "./models/dataset"},
		{"constants of no elements and huge shape", "TestHugeEmptyTensors", "./onnx/pass"},
		{"names that file systems do not take", "TestLongNames", "./cmd/fault"},
		{"networks of kinds that were refused", "TestKinds", "./cmd/job"},
		{"networks of kinds that ended in a false alarm", "TestAgreement", "./cmd/job"},
	} {
		units = append(units, a.unit())
	}
	return units
}

// tries is what a test logs that counts by itself.
var tries = regexp.MustCompile(`: (\d+) command lines`)

// unit counts the parts of the test that passed. A test that fails makes no row.
func (a attack) unit() unit {
	command := fmt.Sprintf("go test -v -run '^%s$' %s", a.test, a.pkg)
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		lines, err := r.goTest(ctx, a.pkg, "^"+a.test+"$", "")
		if err != nil {
			return nil, err
		}
		n := 0
		for _, l := range lines {
			if strings.HasPrefix(l, "--- PASS: ") && strings.Contains(l, "/") {
				n++
			}
			if m := tries.FindStringSubmatch(l); m != nil {
				if _, err := fmt.Sscan(m[1], &n); err != nil {
					return nil, err
				}
				break
			}
		}
		return []row{r.row(command, a.what, fmt.Sprint(max(n, 1)), "all")}, nil
	}}
}

// corruption reads the table that the test logs.
func corruption() unit {
	command := "go test -v -run '^TestCorruption$' ./cmd/fault"
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		lines, err := r.goTest(ctx, "./cmd/fault", "^TestCorruption$", "| ")
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, l := range lines {
			cells := strings.Split(strings.TrimSuffix(l, " |"), " | ")
			if len(cells) != 4 || cells[0] == "artifact" {
				continue
			}
			if cells[0] == "all" && len(rows) > 0 && rows[len(rows)-1].cells[0] == "all" {
				continue
			}
			rows = append(rows, r.row(command, cells...))
		}
		return rows, nil
	}}
}
