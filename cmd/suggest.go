package cmd

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// nearest is the flag that was probably meant, "" where none is close: a wrong guess is worse than none. Close are up
// to two letters of difference, fewer in short names, and a name that begins with the other one.
func nearest(flags []cli.Flag, name string) string {
	best, least := "", min(2, len(name)/3)+1
	for _, f := range flags {
		for _, n := range f.Names() {
			d := edits(name, n)
			if short := min(len(n), len(name)); short >= 3 && (strings.HasPrefix(n, name) || strings.HasPrefix(name, n)) {
				d = min(d, 1)
			}
			if len(n) > 1 && d < least {
				best, least = "--"+n, d
			}
		}
	}
	return best
}

// edits is the Levenshtein distance: letters to insert, delete or replace.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
