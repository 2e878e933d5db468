package pipeline

import (
	"bufio"
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mpqc/mpqc/internal/ort"
)

// loadRounds is how often a file is loaded for LoadCost; the median counts.
const loadRounds = 5

// LoadCost is what it takes onnxruntime to load a file. PeakBytes is how far the memory of the process rose meanwhile, 0
// where the system does not tell.
type LoadCost struct {
	Seconds   float64 `json:"seconds"`
	PeakBytes int64   `json:"peak_bytes"`
}

// loadCosts loads models in turn, so that all see the same machine.
func loadCosts(models ...document) ([]LoadCost, error) {
	seconds, peaks := make([][]float64, len(models)), make([][]int64, len(models))
	for range loadRounds {
		for i, m := range models {
			before := resetPeak()
			start := time.Now()
			s, err := m.open(ort.Options{Threads: 1, Optimize: true})
			if err != nil {
				return nil, err
			}
			seconds[i] = append(seconds[i], time.Since(start).Seconds())
			if before > 0 {
				peaks[i] = append(peaks[i], max(0, statusBytes("VmHWM:")-before))
			}
			if err := s.Close(); err != nil {
				return nil, err
			}
		}
	}
	out := make([]LoadCost, len(models))
	for i := range models {
		slices.Sort(seconds[i])
		out[i].Seconds = seconds[i][loadRounds/2]
		if len(peaks[i]) > 0 {
			slices.Sort(peaks[i])
			out[i].PeakBytes = peaks[i][len(peaks[i])/2]
		}
	}
	return out, nil
}

// resetPeak lets Linux count the peak memory of the process anew and returns the memory in use, 0 where it cannot.
func resetPeak() int64 {
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200) != nil {
		return 0
	}
	return statusBytes("VmRSS:")
}

// statusBytes reads a line of /proc/self/status, 0 where there is none.
func statusBytes(key string) int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	s := bufio.NewScanner(bytes.NewReader(data))
	for s.Scan() {
		if rest, ok := strings.CutPrefix(s.Text(), key); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}
