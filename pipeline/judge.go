package pipeline

import (
	"context"
	"math"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/search"
	"github.com/mpqc/mpqc/quantize"
)

// Verdict compares a found policy with the budget-filled uniform baseline on training pictures that the search has not
// seen, both with their norms re-estimated. A search takes the best of hundreds of noisy scores, so its own are too good.
type Verdict struct {
	Pictures    int     `json:"pictures"`
	Loss        float64 `json:"loss"`
	UniformLoss float64 `json:"uniform_loss"`
	// Gain is UniformLoss - Loss, and Interval its 95 % interval from the differences picture by picture.
	Gain     float64    `json:"gain"`
	Interval [2]float64 `json:"interval"`
}

// judgePictures is the number of pictures of a verdict.
const judgePictures = 2048

// judge settles a search: where the baseline turns out better, it is the result.
func (j *job) judge(ctx context.Context, res *search.Result) (*Verdict, error) {
	if samePolicy(res.Policy, res.Uniform) {
		return nil, nil
	}
	e, err := j.scoring(ctx, judgePictures, "judge")
	if err != nil {
		return nil, err
	}
	found, err := e.lossesOf(ctx, res.Policy)
	if err != nil {
		return nil, err
	}
	uniform, err := e.lossesOf(ctx, res.Uniform)
	if err != nil {
		return nil, err
	}
	v := compare(found, uniform)
	if v.Gain < 0 {
		res.Policy, res.Score = res.Uniform, res.UniformScore
		res.Steps = append(res.Steps, search.Step{
			Phase: "baseline", Loss: res.Score.Loss, Top1: res.Score.Top1, BitOPs: j.plan.BitOPs(res.Policy),
		})
	}
	return v, nil
}

// lossesOf are the distances to the float model picture by picture.
func (e *evaluator) lossesOf(ctx context.Context, p quantize.Policy) ([]float64, error) {
	s, err := e.job.reestimate(ctx, p, "")
	if err != nil {
		return nil, err
	}
	logits, err := e.candidate(ctx, s, p)
	if err != nil {
		return nil, err
	}
	out := make([]float64, e.n)
	row := len(logits) / max(e.n, 1)
	for i := range out {
		out[i] = divergence(e.float[i*row:(i+1)*row], logits[i*row:(i+1)*row])
	}
	return out, nil
}

// candidate runs a policy as it would be exported.
func (e *evaluator) candidate(ctx context.Context, s *quantize.Supernet, p quantize.Policy) ([]float32, error) {
	profile := e.job.o.Profiles[0]
	s, _, err := runnable(e.plan, s, p, profile)
	if err != nil {
		return nil, err
	}
	m, err := export.Export(e.job.model, e.plan, s, p, export.Options{Profile: profile})
	if err != nil {
		return nil, err
	}
	if m, err = export.Standard(m); err != nil {
		return nil, err
	}
	data, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	return e.logits(ctx, data)
}

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
