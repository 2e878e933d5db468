package training

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// guideSamples is the number of training samples that the calibrated network is scored on.
const guideSamples = 128

// guideVersion rises when the guides would be others with the same options.
const guideVersion = 1

// GuideKey is what decides the guides of a calibration with a stamp.
func GuideKey(calibration string, seed uint64) stage.Key {
	return stage.Key{Version: guideVersion, Inputs: []any{calibration, seed}}
}

// guide are the policies that the calibrated network is best with over the whole range of budgets, from narrow to wide.
// They lie in front.json for a training that goes on. Training draws its random paths near them: drawn from everything,
// most paths hold widths that no budget would choose, and these have the largest gradients (see RATIONALE). nil: paths
// are drawn in another way.
func guide(ctx context.Context, e *stage.Env, c *calibration.Calibrated, p *samples.Samples, est *norms.Estimator, o Options) ([]quantize.Policy, error) {
	if onePath(c.Plan) || !o.Trains() || o.Sampling != options.SamplingFront || o.Paths < 2 {
		return nil, nil
	}
	stamp, err := GuideKey(c.Stamp, e.Seed).Stamp()
	if err != nil {
		return nil, err
	}
	d := record.Guides{Stamp: stamp}
	var old record.Guides
	if e.Reuse(stage.GuidesFile, c.Plan, &old, event.StageTrain) && old.Stamp == stamp {
		d = old
	}
	if len(d.Front) > 0 {
		return d.Front, nil
	}
	rep := e.Start(event.StageTrain, "paths", "")
	calibrated := &supernet.Supernet{Calibrated: c, Arrays: c.Start, Norms: est}
	if err := measureGuides(ctx, e, calibrated, p, &d, rep); err != nil {
		return nil, fmt.Errorf("measure the calibrated network: %w", err)
	}
	if o.Guided != nil {
		if err := o.Guided(d.Front[0], rep); err != nil {
			return nil, err
		}
	}
	e.Seconds.Train += rep.Done(fmt.Sprintf("%d policies from %.4g GBitOPs up", len(d.Front), float64(c.Plan.BitOPs(d.Front[0]))/1e9))
	return d.Front, e.Workspace.WriteJSON(stage.GuidesFile, d)
}

// guideLoss is the share of the loss of a guess that a guide may lose.
const guideLoss = 0.25

// measureGuides scores the calibrated network, as files of one profile in one provider whatever the run delivers: a
// supernet is one for all of them.
func measureGuides(ctx context.Context, e *stage.Env, sup *supernet.Supernet, p *samples.Samples, d *record.Guides, rep *event.Reporter) error {
	scorers := evaluation.NewScorers(e, sup, p, export.Named(export.ProfileORT), options.ScoreOptions{})
	defer scorers.Close() // training needs its memory
	o, err := scorers.Options(ctx)
	if err != nil {
		return err
	}
	o.Norms, o.Provider = 1, ort.ProviderCPU
	ev, err := scoring.New(ctx, o, p.Train, p.Some(guideSamples, "front", e.Seed))
	if err != nil {
		return err
	}
	rep.Message(fmt.Sprintf("sensitivities of the calibrated network on %d samples, for the paths to train", ev.N()))
	d.Sensitivity, err = search.Measure(ctx, sup.Plan, ev, d.Sensitivity, func(s *search.Sensitivity, done, total int) error {
		d.Sensitivity = s
		rep.Progress(int64(done), int64(total), "")
		return e.Workspace.WriteJSON(stage.GuidesFile, d)
	})
	if err != nil {
		return err
	}
	best, err := search.Predicted(ctx, sup.Plan, d.Sensitivity, search.GuideTargets(sup.Plan))
	if err != nil {
		return err
	}
	d.Front, err = search.Worthwhile(sup.Plan, d.Sensitivity, ev.Guess()*guideLoss, append(best, sup.Plan.Min()))
	return err
}
