package memory

import (
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTotal(t *testing.T) {
	tests := []struct {
		name, text string
		want       int64
	}{
		{"as Linux writes it", "MemTotal:       24689664 kB\nMemFree:        20000000 kB\n", 24689664 << 10},
		{"not the first line", "MemFree: 1 kB\nMemTotal: 2 kB\n", 2048},
		{"no line", "MemFree: 1 kB\n", 0},
		{"no number", "MemTotal: much kB\n", 0},
		{"another unit", "MemTotal: 1 MB\n", 0},
		{"more than any machine", "MemTotal: 9223372036854775807 kB\n", 0},
		{"empty", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := total(strings.NewReader(tt.text)); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestTotalOfThisMachine(t *testing.T) {
	if got := Total(); runtime.GOOS == "linux" && got < 1<<27 {
		t.Errorf("this machine has %d bytes", got)
	}
}

// TestControlGroups: a container may use less than the machine has.
func TestControlGroups(t *testing.T) {
	const machine = 8 << 30
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"none", nil, machine},
		{"version 2", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1073741824\n"}, 1 << 30},
		{"version 2, no limit", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, machine},
		{"version 2, a group above", map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1000000\n", "sys/fs/cgroup/a/b/memory.max": "max\n",
		}, 1000000},
		{"version 1", map[string]string{
			"proc/self/cgroup": "5:devices:/\n4:cpu,memory:/x\n0::/\n", "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "2000000\n",
		}, 2000000},
		{"version 1, seen from inside", map[string]string{
			"proc/self/cgroup": "4:memory:/docker/1f\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "3000000\n",
		}, 3000000},
		{"version 1, no limit", map[string]string{
			"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, machine},
		{"a path that leads out", map[string]string{"proc/self/cgroup": "0::/../../x\nnonsense\n"}, machine},
	} {
		t.Run(tt.name, func(t *testing.T) {
			system := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal: 8388608 kB\n")}}
			for name, text := range tt.files {
				system[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := available(system); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
	if got := available(fstest.MapFS{}); got != 0 {
		t.Errorf("without any file: %d", got)
	}
}
