// Package memory tells how much main memory the machine has, and how much this process uses. Work that cannot fit is
// then refused in advance: a process that exceeds the memory is killed without an error that could be handled.
package memory

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Total is the main memory in bytes that this process may use: that of the machine, or the limit of a control group
// such as a container's. It is 0 if the system does not tell.
func Total() int64 { return available(os.DirFS("/")) }

// available is Total for the files of a system.
func available(system fs.FS) int64 {
	f, err := system.Open("proc/meminfo")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // only read
	have := total(f)
	if limit := limit(system); limit > 0 && (have == 0 || limit < have) {
		return limit
	}
	return have
}

// limit is the least limit of the control groups of this process, 0 without any. The path of a group may lie outside
// what a container sees of the hierarchy; its root is then the container's group.
func limit(system fs.FS) int64 {
	groups, err := fs.ReadFile(system, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	var least int64
	for line := range strings.Lines(string(groups)) {
		// "0::/user.slice" in version 2, "4:memory:/docker/1f" in version 1.
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root, name := "sys/fs/cgroup", "memory.max"
		switch {
		case slices.Contains(strings.Split(fields[1], ","), "memory"):
			root, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case fields[1] != "":
			continue
		}
		for group := path.Clean("/" + fields[2]); ; group = path.Dir(group) {
			if n := number(system, path.Join(root, group, name)); n > 0 && (least == 0 || n < least) {
				least = n
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// number reads a file that holds one number; it is 0 for any other.
func number(system fs.FS, name string) int64 {
	text, err := fs.ReadFile(system, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0 // "max"
	}
	return n
}

// total is the machine's memory in bytes, from /proc/meminfo.
func total(r io.Reader) int64 { return kilobytes(r, "MemTotal:") }

// kilobytes returns the bytes of a line such as "MemTotal: N kB", 0 if there is none.
func kilobytes(r io.Reader, key string) int64 {
	for s := bufio.NewScanner(r); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) == 3 && fields[0] == key && fields[2] == "kB" {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil || kb < 0 || kb > 1<<50 {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}
