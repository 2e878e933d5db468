// Package memory tells how much main memory the machine has, so that what cannot fit is refused before it is tried: a
// process that asks for more than there is ends without an error that anybody could handle.
package memory

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
)

// Total is the main memory of the machine in bytes, 0 where the system does not say.
func Total() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // only read
	return total(f)
}

// total reads the line "MemTotal: N kB".
func total(r io.Reader) int64 {
	for s := bufio.NewScanner(r); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) == 3 && fields[0] == "MemTotal:" && fields[2] == "kB" {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil || kb < 0 || kb > 1<<50 {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}
