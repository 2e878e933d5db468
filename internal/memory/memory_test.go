package memory

import (
	"runtime"
	"strings"
	"testing"
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
