package record

import "math"

// Verdict compares a found policy with the budget-filled uniform baseline on samples that the search has not seen, if
// there are any. A search takes the best of hundreds of noisy scores, so its own scores are too good.
type Verdict struct {
	Samples int `json:"pictures"`
	// Held says that these samples were held out from training, too, or come from a validation split. Else the data is
	// too small for that, and they are training samples.
	Held bool `json:"held"`
	// Searched says that the search has taken all samples that are left beside those that codes were chosen for: then
	// these are the same.
	Searched    bool    `json:"searched,omitempty"`
	Loss        float64 `json:"loss"`
	UniformLoss float64 `json:"uniform_loss"`
	// Gain is UniformLoss - Loss, and Interval its 95 % interval from the differences sample by sample.
	Gain     float64    `json:"gain"`
	Interval [2]float64 `json:"interval"`
}

// Won reports whether the gain is more than chance. Where it is not, two searches on other samples end in policies
// whose accuracy differs by chance, too, and the baseline is as good and simpler. A single sample has no interval.
func (v *Verdict) Won() bool { return v.Samples > 1 && v.Interval[0] > 0 }

// Compare pairs losses of the same samples, of a found policy and of the baseline.
func Compare(found, uniform []float64) *Verdict {
	v := &Verdict{Samples: len(found)}
	n := float64(max(len(found), 1))
	var sum, squares float64
	for i := range found {
		v.Loss += found[i] / n
		v.UniformLoss += uniform[i] / n
		d := uniform[i] - found[i]
		sum += d
		squares += d * d
	}
	v.Gain = sum / n
	half := 1.96 * math.Sqrt(max(squares/n-v.Gain*v.Gain, 0)/n)
	v.Interval = [2]float64{v.Gain - half, v.Gain + half}
	return v
}
