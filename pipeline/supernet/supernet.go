// Package supernet holds the shared weights, step sizes and BatchNorms that all policies are taken from: how they are
// read from the workspace with their codes, and how the norms of a policy are re-estimated.
package supernet

import (
	"fmt"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// Supernet is what training and rounding leave.
type Supernet struct {
	*calibration.Calibrated
	Arrays  *quantize.Supernet // weights and codes, step sizes, norms
	Trained bool               // and not only calibrated
	Norms   *norms.Estimator   // of its policies
	Stamp   string             // results of all targets share it
}

// Estimator estimates norms of supernets that a calibration was the beginning of, on samples as training sees them.
func Estimator(e *stage.Env, c *calibration.Calibrated, p *samples.Samples, o options.TrainingOptions) (*norms.Estimator, error) {
	augment, err := dataset.ParseAugmentation(o.Augment)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", options.ErrUsage, err)
	}
	return &norms.Estimator{
		Plan: c.Plan, Samples: p, Augment: augment, Seed: e.Seed, Pool: e.Pool, Corrections: norms.Corrections{},
		Network: func(s *quantize.Supernet) (*fakequant.Network, error) { return c.Loaded(c.Plan, s) },
		Start:   func() (*quantize.Supernet, error) { return e.LoadArrays(stage.StartFile) },
	}, nil
}

// Open reads supernet.safetensors and the codes that were chosen for it; what is used is always what the files hold.
func Open(e *stage.Env, c *calibration.Calibrated, p *samples.Samples, t options.TrainingOptions, r options.RoundingOptions) (*Supernet, error) {
	est, err := Estimator(e, c, p, t)
	if err != nil {
		return nil, err
	}
	s, sum, err := Load(e, c)
	if err != nil {
		return nil, err
	}
	if Compensates(c, r) && !rounded(e, sum) { // compress was interrupted, or is of before this stage
		e.Warn(event.StageRound, "", "no codes were chosen for these weights yet, so they are rounded to the nearest: mpqc compress chooses some")
	}
	return With(e, c, est, s, sum, r, nil)
}

// Load reads supernet.safetensors, and its hash. What was trained is never made anew unasked; what was only calibrated
// is what training would have started from.
func Load(e *stage.Env, c *calibration.Calibrated) (s *quantize.Supernet, sum string, err error) {
	s, err = e.LoadArrays(stage.SupernetFile)
	if stage.Damaged(err) {
		if e.Trained() {
			return nil, "", e.Refuse(err)
		}
		if _, err = e.Anew(err, event.StageTrain); err != nil {
			return nil, "", err
		}
		e.Workspace.Fix(stage.SupernetFile)
		if err = e.SaveArrays(stage.SupernetFile, c.Start); err == nil {
			s, err = e.LoadArrays(stage.SupernetFile)
		}
	}
	if err != nil {
		return nil, "", e.Refuse(err)
	}
	sum, err = e.Workspace.Sum(stage.SupernetFile)
	return s, sum, err
}

// With is a supernet whose file has a hash, with the codes that were chosen for it; nil codes are read from their file.
func With(e *stage.Env, c *calibration.Calibrated, est *norms.Estimator, s *quantize.Supernet, sum string, r options.RoundingOptions, codes *quantize.Supernet) (*Supernet, error) {
	arrays, codesSum, err := withCodes(e, c, s, sum, r, codes)
	if err != nil {
		return nil, err
	}
	out := &Supernet{Calibrated: c, Arrays: arrays, Trained: e.Trained(), Norms: est, Stamp: sum[:16]}
	if codesSum != "" {
		out.Stamp, err = workspace.Fingerprint(sum, codesSum)
	}
	return out, err
}

// Overlaid is the supernet with what a file of a target holds in its place: re-estimated norms, or all that fine-tuning
// trained.
func (s *Supernet) Overlaid(e *stage.Env, file string) (*quantize.Supernet, error) {
	own, err := e.LoadArrays(file)
	if err != nil {
		return nil, err
	}
	return s.Arrays.Over(own), nil
}

// Filed is a supernet as files of a profile hold a policy: bounded pairs of weights shift the outputs of a layer.
func (s *Supernet) Filed(arrays *quantize.Supernet, p quantize.Policy, profile export.Profile) (*quantize.Supernet, error) {
	if s.Network.Widths.Float {
		return arrays, nil
	}
	arrays, _, err := profile.Supernet(s.Plan, arrays, p)
	return arrays, err
}
