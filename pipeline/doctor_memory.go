package pipeline

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// memoryMB is the main memory of the machine in MB of 1e6 bytes, 0 where the system does not say.
func memoryMB() float64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // only read
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) > 1 && fields[0] == "MemTotal:" {
			kb, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				return 0
			}
			return kb * 1024 / 1e6
		}
	}
	return 0
}

// quoted is the name that the first quotation marks of an error hold, "" where there are none.
func quoted(err error) string {
	if parts := strings.SplitN(err.Error(), `"`, 3); len(parts) == 3 {
		return parts[1]
	}
	return ""
}
