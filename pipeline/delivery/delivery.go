// Package delivery exports the policy of a target, verifies each file against the simulation, and measures it beside
// its baseline.
package delivery

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/delivery/verification"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/finetune"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/selection"
	"github.com/mpqc/mpqc/pipeline/selection/policy"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/quantize"
)

// Options of the stage.
type Options struct {
	options.ExportOptions
	options.NormOptions
	options.VerifyOptions
	Finetune finetune.Options
}

// Sample is what files are measured with: the samples, and the float model on those of the test split.
type Sample struct {
	*samples.Samples
	Float *measurement.Result
}

// desk delivers files of one supernet.
type desk struct {
	env      *stage.Env
	supernet *supernet.Supernet
	sample   Sample
	options  Options
}

// Run fine-tunes, where that is asked for, exports, verifies and measures the policy that was found for a target. With
// a record.MismatchError the result is returned, too.
func Run(ctx context.Context, e *stage.Env, sup *supernet.Supernet, s Sample, found *selection.Found, o Options) (record.TargetResult, error) {
	d := &desk{e, sup, s, o}
	row := newRow(sup.Plan, found)
	if err := e.Workspace.Write(selection.PolicyFile(row.Target), policy.Text(row.Target, sup.Plan, found.Policy)); err != nil {
		return row, err
	}
	tuning, err := finetune.Of(e, sup, row.Target, found.Policy, o.Finetune)
	if err != nil {
		return row, stage.Wrap(event.StagePolish, err)
	}
	var before *record.Measured
	var hits metric.Hits
	for _, name := range o.Profiles {
		profile, err := export.ProfileOf(name)
		if err != nil {
			return row, stage.Wrap(event.StageExport, err)
		}
		x, err := d.prepare(ctx, row.Target, found.Policy, profile, tuning)
		if err != nil {
			return row, err
		}
		before = x.before
		f, err := d.deliver(ctx, profile, x)
		if f != nil {
			if len(row.Files) == 0 { // the headline is the first profile's
				row.Metric, hits = f.Metric, f.Hits
			}
			row.Files = append(row.Files, f.File)
		}
		if err != nil {
			return row, err
		}
	}
	untuned := record.Measured{Metric: row.Metric, Hits: hits}
	if before != nil {
		untuned, row.Polish = *before, tuning.Added(*before, hits)
		warnRaised(e, row.Target, before.Metric.Loss, row.Metric.Loss)
	}
	return row, stage.Wrap(event.StageEval, d.baseline(ctx, found, &row, untuned))
}

// newRow describes the policy of a target, without files.
func newRow(plan *quantize.Plan, found *selection.Found) record.TargetResult {
	row := record.TargetResult{
		Target: found.Target.Text, BitOPs: plan.BitOPs(found.Policy), PackedBytes: plan.PackedBytes(found.Policy, plan.FloatRest),
		Uniform: record.Uniform{Bits: found.UniformBits, BitOPs: plan.BitOPs(found.Uniform)},
		Policy:  record.PolicyRows(plan, found.Policy),
		Files:   []record.File{}, Unit: found.Target.Unit(), Search: found.Result,
	}
	row.AvgWeightBits, row.AvgActivationBits = plan.AverageBits(found.Policy)
	if row.Uniform.Bits == 0 { // nothing to choose from
		row.Uniform.Bits = int(math.Round(row.AvgWeightBits))
	}
	return row
}

// prepared is a policy that can be exported, and the supernet as it is for that.
type prepared struct {
	target   string
	policy   quantize.Policy
	supernet *quantize.Supernet
	overlay  string // file with the arrays that are the target's own

	before *record.Measured // the policy before it was fine-tuned; nil: it was not
}

// prepare re-estimates the norms of a policy for files of a profile. A policy that is fine-tuned (m is not nil) has
// them re-estimated for files of the first profile, whose weights all profiles then share.
func (d *desk) prepare(ctx context.Context, target string, p quantize.Policy, profile export.Profile, m *record.Finetune) (x prepared, err error) {
	if m != nil {
		profile = d.first()
	}
	x = prepared{target: target, policy: p, overlay: supernet.NormsFile(target, profile)}
	if x.supernet, err = d.supernet.Reestimate(ctx, d.env, p, target, profile, d.options.NormOptions); err != nil {
		return x, stage.Wrap("batch norm", err)
	}
	if m == nil {
		return x, nil
	}
	from := x.supernet
	before, err := d.measure(ctx, target, "unpolished", p, func() (*quantize.Supernet, error) { return from, nil })
	if err != nil {
		return x, stage.Wrap(event.StageEval, err)
	}
	x.before, x.overlay = &before, finetune.File(target)
	x.supernet, err = finetune.Run(ctx, d.env, d.supernet, m, target, from, d.options.Finetune)
	return x, stage.Wrap(event.StagePolish, err)
}

// measure measures a policy that stands beside the result of a target, as a file of the first profile.
func (d *desk) measure(ctx context.Context, target, name string, p quantize.Policy, arrays func() (*quantize.Supernet, error)) (record.Measured, error) {
	c := evaluation.Candidate{Policy: p, Profile: d.first()}
	return evaluation.Policy(ctx, d.env, d.supernet, d.sample.Samples, d.sample.Float, target, name, c, d.options.NormOptions, arrays)
}

// FileKey is what decides the verification of a file with a hash, of a policy of a supernet with a stamp.
func FileKey(e *stage.Env, p *samples.Samples, sum, supernet string, q quantize.Policy, n options.NormOptions, v options.VerifyOptions) stage.Key {
	return evaluation.TestKey(e, p, []any{n, v}, "file", verification.Version, sum, supernet, q)
}

// deliver is the export and the verify stage of one target in one profile. With a MismatchError the result is returned,
// too. A file that came out as it was when it was last verified is not measured again.
func (d *desk) deliver(ctx context.Context, profile export.Profile, x prepared) (*record.Delivered, error) {
	f, arrays, err := d.write(ctx, profile, x)
	if err != nil {
		return nil, stage.Wrap(event.StageExport, err)
	}
	fresh := &record.Delivered{File: *f}
	key := FileKey(d.env, d.sample.Samples, f.SHA256, d.supernet.Stamp, x.policy, d.options.NormOptions, d.options.VerifyOptions)
	out, err := stage.Measured(d.env, event.StageVerify, "scores/"+filepath.Base(f.Path)+".json", key, d.supernet.Plan, func() (record.Delivered, error) {
		if err := d.sizeUp(&fresh.File, arrays, x.policy); err != nil {
			return *fresh, err
		}
		sim, err := Verify(ctx, d.env, d.supernet, d.sample, &fresh.File, arrays, x.policy, d.options.VerifyOptions)
		if sim != nil {
			fresh.Metric = record.Metric{Top1: sim.Top1(), Loss: sim.Tally.MeanLoss(), Agreement: sim.Agreement}
			fresh.Hits = sim.Tally.Hits
		}
		return *fresh, err
	})
	out.File.Path = f.Path // the workspace may have moved
	out.File.SayArithmetic()
	return &out, err
}

// first is the first of the profiles, which candidates and baselines are measured in.
func (d *desk) first() export.Profile { return export.Named(d.options.Profiles[0]) }

// baseline measures the baseline of a target, treated as the found policy was: norms re-estimated, not fine-tuned.
func (d *desk) baseline(ctx context.Context, found *selection.Found, row *record.TargetResult, untuned record.Measured) error {
	if found.Policy.Equal(found.Uniform) || !d.sample.Labels {
		row.Uniform.Top1 = untuned.Metric.Top1
		return nil
	}
	b, err := d.measure(ctx, row.Target, "uniform", found.Uniform, func() (*quantize.Supernet, error) {
		return d.supernet.Reestimate(ctx, d.env, found.Uniform, "", d.first(), d.options.NormOptions)
	})
	if err != nil {
		return err
	}
	row.Uniform.Top1, row.Uniform.Gain = b.Metric.Top1, record.GainOf(untuned.Hits, b.Hits)
	return nil
}

// warnRaised says that fine-tuning has raised the loss on the test samples, if it has.
func warnRaised(e *stage.Env, target string, before, after float64) {
	if after > before {
		e.Warn(event.StagePolish, target, fmt.Sprintf(
			"polish raised the loss from %.4g to %.4g: --lr states a lower rate, --polish 0 gives the policy back as it was", before, after))
	}
}
