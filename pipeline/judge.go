package pipeline

import (
	"context"
	"math"

	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// Verdict compares a found policy with the budget-filled uniform baseline on pictures that the search has not seen, if there are any. A
// search takes the best of hundreds of noisy scores, so its own are too good.
type Verdict struct {
	Pictures int `json:"pictures"`
	// Held says that these pictures were kept apart from training, too, or come from a validation split. Else, where the data
	// is too small for that, they are training pictures.
	Held bool `json:"held"`
	// Searched says that there are so few that the search has taken all that are left beside those that codes were chosen for: then these
	// are the same.
	Searched    bool    `json:"searched,omitempty"`
	Loss        float64 `json:"loss"`
	UniformLoss float64 `json:"uniform_loss"`
	// Gain is UniformLoss - Loss, and Interval its 95 % interval from the differences picture by picture.
	Gain     float64    `json:"gain"`
	Interval [2]float64 `json:"interval"`
}

// judge settles a search: where the found policy is not better than the baseline beyond doubt, the baseline is the result.
func (j *job) judge(ctx context.Context, res *search.Result) (*Verdict, error) {
	if res.Policy.Equal(res.Uniform) {
		return nil, nil
	}
	e, err := j.judging(ctx)
	if err != nil {
		return nil, err
	}
	losses := make([][]float64, 2)
	err = e.Each(ctx, []quantize.Policy{res.Policy, res.Uniform}, func(i int, outputs []float32) { losses[i] = e.Distances(outputs) })
	if err != nil {
		return nil, err
	}
	v := compare(losses[0], losses[1])
	v.Held, v.Searched = j.data.Judge.Len() > 0, j.data.JudgesSearched(j.o.SearchSamples)
	if !v.won() {
		res.Policy, res.Score, res.Predicted = res.Uniform, res.UniformScore, res.UniformPredicted
		res.Steps = append(res.Steps, search.Step{
			Phase: "baseline", Loss: res.Score.Loss, Top1: res.Score.Top1, BitOPs: j.plan.BitOPs(res.Policy),
		})
	}
	return v, nil
}

// won reports whether the gain is more than chance. Where it is not, two searches on other pictures end in policies whose
// accuracy differs by chance, too, and the baseline is as good and simpler. A single picture has no interval.
func (v *Verdict) won() bool { return v.Pictures > 1 && v.Interval[0] > 0 }

// compare pairs losses of the same pictures.
func compare(found, uniform []float64) *Verdict {
	v := &Verdict{Pictures: len(found)}
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
