package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// frontFile holds the policies near which training draws its random paths. It stays for a training that goes on.
const frontFile = "front.json"

// frontPictures is the number of training pictures that the calibrated network is scored on.
const frontPictures = 128

// frontVersion rises when the front would be another one with the same options.
const frontVersion = 1

// drawn is front.json, written as it grows.
type drawn struct {
	Stamp       string              `json:"stamp"` // fingerprint of what it was measured on
	Sensitivity *search.Sensitivity `json:"sensitivity"`
	Front       []quantize.Policy   `json:"front"`
}

// front are the policies that the calibrated network is best with over the whole range of budgets, from narrow to wide, where
// training draws random paths near them; else nil. Drawn from everything, most paths hold widths that no budget would choose, and
// these have the largest gradients: see RATIONALE.
func (j *job) front(ctx context.Context) ([]quantize.Policy, error) {
	if _, one := onlyPolicy(j.plan); one || !j.o.Trains() || j.o.Sampling != options.SamplingFront || j.o.Paths < 2 {
		return nil, nil
	}
	stamp, err := workspace.Fingerprint(j.w.Manifest.Stages[string(event.StageCalibrate)].Fingerprint, j.o.Seed, j.data.Stamp, frontVersion)
	if err != nil {
		return nil, err
	}
	d := drawn{Stamp: stamp}
	var old drawn
	if j.reuse(frontFile, &old, event.StageTrain) && old.Stamp == stamp {
		d = old
	}
	if len(d.Front) > 0 {
		return d.Front, nil
	}
	rep := j.o.Events.Start(event.StageTrain, "paths", "")
	if err := j.measureFront(ctx, &d, rep); err != nil {
		return nil, fmt.Errorf("measure the calibrated network: %w", err)
	}
	if err := j.warnBelow(d.Front[0], rep); err != nil {
		return nil, err
	}
	j.seconds.Train += rep.Done(fmt.Sprintf("%d policies from %.4g GBitOPs up", len(d.Front), float64(j.plan.BitOPs(d.Front[0]))/1e9))
	return d.Front, j.w.WriteJSON(frontFile, d)
}

// measureFront scores the calibrated network, as files of one profile in one provider whatever the run delivers: a supernet is one
// for all of them.
func (j *job) measureFront(ctx context.Context, d *drawn, rep *event.Reporter) error {
	defer j.endSearch() // training needs its memory, and what it holds is of the calibrated network
	o, err := j.scoringOptions(ctx)
	if err != nil {
		return err
	}
	o.Norms, o.Profile, o.Provider = 1, export.Named(export.ProfileORT), ort.ProviderCPU
	ev, err := scoring.New(ctx, o, j.data.Train, j.data.Some(frontPictures, "front", *j.o.Seed))
	if err != nil {
		return err
	}
	rep.Message(fmt.Sprintf("sensitivities of the calibrated network on %d pictures, for the paths to train", ev.N()))
	d.Sensitivity, err = search.Measure(ctx, j.plan, ev, d.Sensitivity, func(s *search.Sensitivity, done, total int) error {
		d.Sensitivity = s
		rep.Progress(int64(done), int64(total), "")
		return j.w.WriteJSON(frontFile, d)
	})
	if err != nil {
		return err
	}
	best, err := predicted(ctx, j.plan, d.Sensitivity, frontTargets(j.plan))
	if err != nil {
		return err
	}
	d.Front, err = worthwhile(j.plan, d.Sensitivity, ev.Guess()*frontLoss, append(best, j.plan.Min()))
	return err
}

// frontLoss is the share of the loss of a guess that a policy of the front may lose.
const frontLoss = 0.25

// worthwhile are the policies that are predicted to lose less than a limit, and the widest one, from narrow to wide. From where the
// calibrated network knows next to nothing, what a path could learn is not worth what it does to the weights.
func worthwhile(plan *quantize.Plan, s *search.Sensitivity, limit float64, policies []quantize.Policy) ([]quantize.Policy, error) {
	kept := []quantize.Policy{plan.Max()}
	for _, p := range policies {
		loss, err := s.Loss(plan, p)
		if err != nil {
			return nil, err
		}
		if loss < limit && !slices.ContainsFunc(kept, p.Equal) {
			kept = append(kept, p)
		}
	}
	slices.SortStableFunc(kept, func(a, b quantize.Policy) int { return cmp.Compare(plan.BitOPs(a), plan.BitOPs(b)) })
	return kept, nil
}

// warnBelow says which targets of this run lie below the narrowest policy that paths are drawn near.
func (j *job) warnBelow(narrowest quantize.Policy, rep *event.Reporter) error {
	targets, plan, err := j.targets()
	if err != nil {
		return err
	}
	for _, t := range targets {
		if !t.Budgeted() {
			continue
		}
		p, err := quantize.BudgetUniform(plan, t)
		if err != nil {
			return err
		}
		if plan.BitOPs(p) < plan.BitOPs(narrowest) {
			rep.Warning(fmt.Sprintf("the calibrated network knows next to nothing at %s, so hardly any path that is trained is as narrow; --sampling tilted trains such paths, at the cost of all others", t.Text))
		}
	}
	return nil
}

// frontSteps is the number of policies of the front between two uniform widths.
const frontSteps = 4

// frontTargets are the budgets of the front: BitOPs in steps, and weights alone at every width, beside the widest activations.
func frontTargets(plan *quantize.Plan) []quantize.Target {
	targets := budgets(plan, frontSteps)
	for _, b := range search.NewSpace(plan, quantize.Target{}).Levels() {
		t, err := quantize.ParseTarget(fmt.Sprintf("w%da8", b))
		if err == nil && t.Validate(plan) == nil { // weights and activations may end at different widths
			targets = append(targets, t)
		}
	}
	return targets
}
