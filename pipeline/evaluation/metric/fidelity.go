package metric

import "math"

// Fidelity is how near one output of a network is to the same output of another.
type Fidelity struct {
	Name string `json:"name"`
	// SNR is the variance of the output over the mean square of the difference, in decibels: MostSNR where nothing differs,
	// -MostSNR where one side alone is not finite.
	SNR float64 `json:"snr_db"`
}

// MostSNR stands for infinity, which JSON lacks. Outputs of float32 that differ at all lie below.
const MostSNR = 300

// Fidelity compares n rows of another network with those of the reference, output by output.
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

// noise adds up an output and what is off in it.
type noise struct {
	n, sum, squares, errors float64
	broken                  bool // a number on one side is none on the other
}

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

// ratio is that of the signal to the noise in decibels. A constant output is its own signal.
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
