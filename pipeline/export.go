package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/quantize"
)

// Export writes and verifies policies that were found earlier in further profiles. Targets are names of such policies:
// targets that were searched for, or policy-NAME of those that were stated. Without any it takes every policy that the
// workspace holds. It searches nothing and trains nothing.
func Export(ctx context.Context, o Options) (*Result, error) {
	names, profiles := o.Targets, o.Profiles
	o.Targets = nil // policy-NAME is no limit
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Targets, o.Profiles, o.SearchOnly = names, nil, true
	o, err := locate(o)
	if err != nil {
		return nil, err
	}
	if err := checkTrained(o.Workspace); err != nil {
		return nil, err
	}
	j, err := openJob(o)
	if err != nil {
		return nil, err
	}
	defer j.close()
	if err := j.prepare(ctx); err != nil {
		return nil, err
	}
	if err := j.openSupernet(); err != nil {
		return nil, err
	}
	if len(profiles) > 0 {
		j.o.Profiles = profiles
	}
	if err := j.servesProfiles(); err != nil {
		return nil, err
	}
	policies, err := j.foundPolicies()
	if err != nil {
		return nil, err
	}
	return j.exportFound(ctx, policies)
}

// asymmetric is the first point of a plan that has a zero point of its own, -1 without any.
func asymmetric(plan *quantize.Plan) int {
	return slices.IndexFunc(plan.Points, func(t quantize.Point) bool { return t.Asymmetric })
}

// servesProfiles refuses profiles whose codes the supernet was not trained for.
func (j *job) servesProfiles() error {
	if i := asymmetric(j.plan); i >= 0 && !zeroPoints(j.o.Profiles) {
		k := slices.IndexFunc(j.o.Profiles, func(p string) bool { return !export.Named(p).ZeroPoints })
		return fmt.Errorf("%w: profile %s has no zero points of activations, and the supernet in %s was trained with one for tensor %q; "+
			"compress --profile ort,%[2]s --retrain trains one that serves both", ErrUsage, j.o.Profiles[k], j.w.Dir(), j.plan.Points[i].Tensor)
	}
	i := slices.IndexFunc(j.o.Profiles, func(p string) bool { return export.Named(p).Int8 })
	if i < 0 || j.o.Int8 {
		return nil
	}
	return fmt.Errorf("%w: profile %s has no unsigned 8-bit type, and the supernet in %s was trained with unsigned 8-bit tensors; "+
		"compress --profile ort,%[2]s --retrain trains one that serves both", ErrUsage, j.o.Profiles[i], j.w.Dir())
}

// foundPolicies reads the policies of the stated targets, or all that were found or stated.
func (j *job) foundPolicies() ([]found, error) {
	all, err := filepath.Glob(j.w.Path("search", "*.json"))
	if err != nil {
		return nil, err
	}
	// Older programs wrote policies for editing as JSON.
	all = slices.DeleteFunc(all, func(n string) bool { return strings.HasSuffix(n, ".policy.json") })
	names := all
	if len(j.stated.Targets) > 0 {
		names = nil
	}
	for _, t := range j.stated.Targets {
		names = append(names, j.w.Path("search", fileName(t)+".json"))
	}
	var out []found
	for _, n := range names {
		var f found
		err := j.w.ReadJSON("search/"+filepath.Base(n), j.plan, &f)
		if damaged(err) {
			return nil, j.refuse(err)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w: workspace %s holds no policy %s%s; mpqc search finds one",
				ErrUsage, j.w.Dir(), targetOf(n), othersThan(n, all))
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: workspace %s holds no policy; mpqc search finds one", ErrUsage, j.w.Dir())
	}
	return out, nil
}

// targetOf is the name of the policy that a file of a workspace holds.
func targetOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".json") }

// othersThan names the policies in the files besides one.
func othersThan(file string, all []string) string {
	var names []string
	for _, n := range all {
		if n != file {
			names = append(names, targetOf(n))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", but " + strings.Join(names, ", ")
}

// exportFound delivers policies, those that do not verify included.
func (j *job) exportFound(ctx context.Context, policies []found) (*Result, error) {
	r, err := j.newResult(ctx)
	if err != nil {
		return nil, err
	}
	var mismatch error
	for _, f := range policies {
		// A policy that was stated by hand has no target to parse: its own cost stands for one.
		t, err := quantize.ParseTarget(f.Target)
		if err != nil {
			t = quantize.BitOPsTarget(j.plan.BitOPs(f.Policy))
			t.Text = f.Target
		}
		row, err := j.deliver(ctx, t, f.Result)
		if err != nil && !errors.As(err, new(*MismatchError)) {
			return nil, err
		}
		mismatch = errors.Join(mismatch, err)
		lo, hi := t.Feasible(j.plan)
		row.Feasible, row.Unit, row.Search = [2]float64{lo, hi}, unitOf(t), f.Result
		r.Results = append(r.Results, row)
	}
	r.Seconds = j.seconds
	return r, mismatch
}
