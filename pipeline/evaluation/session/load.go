package session

import (
	"slices"
	"time"

	"github.com/mpqc/mpqc/internal/memory"
	"github.com/mpqc/mpqc/internal/ort"
)

// loadRounds is the number of times that LoadCosts loads a file, after one more to warm up.
const loadRounds = 5

// LoadCost is the cost of loading a file in onnxruntime.
type LoadCost struct {
	// Seconds is the median over loadRounds loads.
	Seconds float64 `json:"seconds"`
	// PeakBytes is the largest rise of the resident memory of the process in a load. Freed memory is returned to the
	// system before each load, so that reused memory counts as new. It is 0 if the system does not tell, or tells less
	// than the size of the file, of which onnxruntime holds a copy.
	PeakBytes int64 `json:"peak_bytes"`
}

// LoadCosts loads the models in turn, so that all see the same state of the machine.
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

// loadOnce loads a model once. peak is the rise of the resident memory in bytes, 0 if unknown.
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

// settle returns freed memory to the system, restarts the count of the peak, and returns the resident memory in bytes.
// It is 0 if the system lacks a part of that.
func settle() int64 {
	if !ort.ReleaseMemory() || !memory.ForgetPeak() {
		return 0
	}
	return memory.Resident()
}
