package metric

import "math"

// Fidelity says how near one output of a network is to the same output of the reference.
type Fidelity struct {
	Name string `json:"name"`
	// SNR is 10*log10(variance of the reference / mean squared difference), in decibels. It is MostSNR if nothing
	// differs and -MostSNR if a value is finite on one side only.
	SNR float64 `json:"snr_db"`
}

// MostSNR stands for infinity, which JSON lacks. Float32 outputs that differ at all are below it.
const MostSNR = 300

// Fidelity compares n rows got of a network with the rows want of the reference, output by output.
func (list Outputs) Fidelity(want, got []float32, n int) []Fidelity {
	all := make([]Fidelity, len(list))
	for k, o := range list {
		s, row := noise{}, list.Row()
		for i := range n {
			s.add(want[i*row+o.From:i*row+o.To], got[i*row+o.From:i*row+o.To])
		}
		all[k] = Fidelity{o.Name, s.ratio()}
	}
	return all
}

// noise accumulates the sums for the signal-to-noise ratio of one output.
type noise struct {
	n, sum, squares, errors float64
	broken                  bool // a value is finite on one side only
}

// add adds elements. Pairs of NaN or of equal infinities count as alike and are left out.
func (s *noise) add(want, got []float32) {
	for i, w := range want {
		a, b := float64(w), float64(got[i])
		if math.IsNaN(a) && math.IsNaN(b) || a == b && math.IsInf(a, 0) {
			continue // alike, and of no size
		}
		d := a - b
		if math.IsNaN(d) || math.IsInf(d, 0) {
			s.broken = true
			continue
		}
		s.n, s.sum, s.squares, s.errors = s.n+1, s.sum+a, s.squares+a*a, s.errors+d*d
	}
}

// ratio is the signal-to-noise ratio in decibels. The signal of a constant output is its mean square.
func (s *noise) ratio() float64 {
	switch {
	case s.broken:
		return -MostSNR
	case s.errors == 0:
		return MostSNR
	}
	mean := s.sum / s.n
	signal := s.squares/s.n - mean*mean
	if signal <= 1e-12*s.squares/s.n {
		signal = s.squares / s.n
	}
	return min(max(10*math.Log10(signal/(s.errors/s.n)), -MostSNR), MostSNR)
}
