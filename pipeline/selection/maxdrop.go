package selection

import (
	"context"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// dropStep is how finely a max-drop is resolved, in bits.
const dropStep = 0.05

// dropSearch measures what accuracy is lost at a budget.
type dropSearch struct {
	*finder
	target      quantize.Target
	sensitivity *search.Sensitivity
	ev          *scoring.Evaluator
	float       []float32       // outputs of the float model, without labels
	reference   float64         // share of right predictions that drops are counted from
	kept        quantize.Policy // the narrowest one so far that keeps the drop
	steps       int             // of bits, where that ended
}

// enforceDrop turns a largest drop of accuracy into a limit of BitOPs: the smallest one whose best policy by
// sensitivities keeps the drop, found by bisection on held-out samples. nil: the target has no drop.
func enforceDrop(ctx context.Context, f *finder, t quantize.Target, s *search.Sensitivity, rep *event.Reporter) (*dropSearch, error) {
	if !t.HasMaxDrop {
		return nil, nil
	}
	d := &dropSearch{finder: f, target: t, sensitivity: s}
	var err error
	if d.ev, err = f.scorers.HeldOut(ctx); err != nil {
		return nil, err
	}
	if d.reference, err = d.best(ctx); err != nil {
		return nil, err
	}
	if err := d.bisect(ctx, rep); err != nil {
		return nil, err
	}
	rep.Message(fmt.Sprintf("%s is kept down to %.4g bit on held-out samples", t.Text, float64(d.steps)*dropStep))
	return d, nil
}

// bisect finds the narrowest budget that keeps the drop.
func (d *dropSearch) bisect(ctx context.Context, rep *event.Reporter) error {
	t := d.target
	free := quantize.Target{Limits: []quantize.Limit{{Kind: quantize.LimitBit}}, FixedActivations: t.FixedActivations}
	lo, hi := free.Feasible(d.plan)
	first, last := int(math.Ceil(lo/dropStep-1e-9)), int(math.Floor(hi/dropStep+1e-9))
	drop, err := d.atBudget(ctx, last)
	if err != nil {
		return err
	}
	if drop > t.MaxDrop {
		return fmt.Errorf("%w: %s: the widest policy that fits loses %.2f points on held-out samples", quantize.ErrInfeasible, t.Text, drop)
	}
	for first < last {
		mid := (first + last) / 2
		rep.Progress(0, 0, fmt.Sprintf("accuracy at %.4g bit", float64(mid)*dropStep))
		if drop, err = d.atBudget(ctx, mid); err != nil {
			return err
		}
		if drop <= t.MaxDrop {
			last = mid
		} else {
			first = mid + 1
		}
	}
	d.steps = last
	return nil
}

// verdict is that of a search whose result must keep the drop, as must the baseline where it takes the place of the
// result.
func (d *dropSearch) verdict(ctx context.Context, ev *scoring.Evaluator, res *search.Result) (*record.Verdict, error) {
	if err := d.enforce(ctx, ev, res); err != nil {
		return nil, err
	}
	found := *res
	v, err := d.finder.verdict(ctx, res)
	if err != nil || found.Policy.Equal(res.Policy) {
		return v, err
	}
	drop, err := d.ofPolicy(ctx, res.Policy)
	if err == nil && drop > d.target.MaxDrop {
		*res = found
	}
	return v, err
}

// enforce makes sure that the result of the search that followed keeps the drop, too: sums and evaluations may have
// chosen a policy with less loss whose accuracy is lower. Then the policy that the bisection ended with is the result.
func (d *dropSearch) enforce(ctx context.Context, ev *scoring.Evaluator, res *search.Result) error {
	if res.Policy.Equal(d.kept) {
		return nil
	}
	drop, err := d.ofPolicy(ctx, res.Policy)
	if err != nil || drop <= d.target.MaxDrop {
		return err
	}
	scores, err := ev.Evaluate(ctx, []quantize.Policy{d.kept})
	if err != nil {
		return err
	}
	res.Policy, res.Score = d.kept, scores[0]
	if res.Predicted, err = d.sensitivity.Loss(d.plan, res.Policy); err != nil {
		return err
	}
	res.Steps = append(res.Steps, search.Step{
		Phase: "drop", Loss: res.Score.Loss, Top1: res.Score.Top1, BitOPs: d.supernet.Plan.BitOPs(res.Policy),
	})
	return nil
}

// best is the accuracy that a drop is counted from: the better one of the float model and the widest policy, since both
// may have seen these samples, and training may have improved on the float model. Without labels the float model is
// right.
func (d *dropSearch) best(ctx context.Context) (float64, error) {
	model, err := d.supernet.Network.Document(d.env)
	if err != nil {
		return 0, err
	}
	outputs, err := d.ev.Run(ctx, model)
	if err != nil {
		return 0, fmt.Errorf("run the float model: %w", err)
	}
	if !d.labels() {
		d.float = outputs
		return 1, nil
	}
	return max(d.ev.Top1(outputs), d.ev.Top1(d.ev.Widest())), nil
}

// labels reports whether accuracy is counted by labels.
func (d *dropSearch) labels() bool { return d.supernet.Norms.Samples.Labels }

// limited is the target with a limit of so many steps of bits beside its own.
func (d *dropSearch) limited(steps int) quantize.Target {
	t := d.target
	t.Limits = append([]quantize.Limit{{Kind: quantize.LimitBit, Value: float64(steps) * dropStep}}, t.Limits...)
	return t
}

// atBudget is the drop at a budget in points; infinite where the limits do not hold together.
func (d *dropSearch) atBudget(ctx context.Context, steps int) (float64, error) {
	t := d.limited(steps)
	if !t.Check(d.plan, t.Hold(d.plan, d.plan.Min())) {
		return math.Inf(1), nil
	}
	p, err := search.Predict(ctx, search.Options{Plan: d.plan, Target: t, Sensitivity: d.sensitivity})
	if err != nil {
		return 0, err
	}
	drop, err := d.ofPolicy(ctx, p)
	if err == nil && drop <= t.MaxDrop {
		d.kept = p
	}
	return drop, err
}

// ofPolicy is the drop of a policy in points.
func (d *dropSearch) ofPolicy(ctx context.Context, p quantize.Policy) (float64, error) {
	var share float64
	err := d.ev.Each(ctx, []quantize.Policy{p}, func(_ int, outputs []float32) {
		if d.labels() {
			share = d.ev.Top1(outputs)
		} else {
			share = d.ev.Agreement(d.float, outputs)
		}
	})
	return 100 * (d.reference - share), err
}
