package session

import (
	"slices"
	"time"

	"github.com/mpqc/mpqc/internal/memory"
	"github.com/mpqc/mpqc/internal/ort"
)

// loadRounds is how often a file is loaded for LoadCost, after once to warm up.
const loadRounds = 5

// LoadCost is what it takes onnxruntime to load a file. Seconds are the median of five loads. PeakBytes is the most that the
// resident memory of the process rose by in one of them; before each one everything that was freed is given back to the
// system, so that memory used again counts like new. It is 0 where the system does not tell, or tells less than the file's
// size, which the runtime holds a copy of.
type LoadCost struct {
	Seconds   float64 `json:"seconds"`
	PeakBytes int64   `json:"peak_bytes"`
}

// LoadCosts loads models in turn, so that all see the same machine.
func LoadCosts(models ...Document) ([]LoadCost, error) {
	out := make([]LoadCost, len(models))
	seconds := make([][]float64, len(models))
	for round := range loadRounds + 1 {
		for i, m := range models {
			took, peak, err := loadOnce(m)
			if err != nil {
				return nil, err
			}
			if round == 0 { // reads the runtime's code from disk
				continue
			}
			seconds[i] = append(seconds[i], took.Seconds())
			out[i].PeakBytes = max(out[i].PeakBytes, peak)
		}
	}
	for i, m := range models {
		slices.Sort(seconds[i])
		out[i].Seconds = seconds[i][loadRounds/2]
		if out[i].PeakBytes < int64(len(m.data)) {
			out[i].PeakBytes = 0
		}
	}
	return out, nil
}

// loadOnce loads a model and returns how long it took and how far the memory of the process rose, 0 where that is unknown.
func loadOnce(model Document) (took time.Duration, peak int64, err error) {
	before := settle()
	start := time.Now()
	s, err := model.Open(ort.Options{Threads: 1, Optimize: true})
	if err != nil {
		return 0, 0, err
	}
	took = time.Since(start)
	if before > 0 {
		peak = max(0, memory.Peak()-before)
	}
	return took, peak, s.Close()
}

// settle gives freed memory back, lets the system count the peak memory of the process anew and returns the memory in use, 0
// where it cannot.
func settle() int64 {
	if !ort.ReleaseMemory() || !memory.ForgetPeak() {
		return 0
	}
	return memory.Resident()
}
