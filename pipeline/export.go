package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/selection"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/quantize"
)

// Export writes and verifies policies that were found earlier in further profiles. Targets are names of such policies:
// targets that were searched for, or policy-NAME of those that were stated. Without any it takes every policy that the
// workspace holds. It searches nothing and trains nothing.
func Export(ctx context.Context, o Options) (r *Result, err error) {
	names, profiles := o.Targets, o.Profiles
	o.Targets = nil // policy-NAME is no limit
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Profiles, o.SearchOnly = nil, true // those of the workspace stay on record
	if o, err = locate(o); err != nil {
		return nil, err
	}
	if err := checkTrained(o.Workspace); err != nil {
		return nil, err
	}
	s, c, err := openLocked(o)
	if err != nil {
		return nil, err
	}
	defer func() { s.leave(err) }()
	e := s.env
	net, splits, err := inputs(ctx, e, c)
	if err != nil {
		return nil, err
	}
	defer func() { _ = splits.Close() }() // only read
	cal, err := calibrated(ctx, e, net, splits, c)
	if err != nil {
		return nil, err
	}
	sup, err := supernet.Open(e, cal, splits, c.TrainingOptions, c.RoundingOptions)
	if err != nil {
		return nil, err
	}
	if len(profiles) > 0 {
		c.Profiles = profiles
	}
	if err := serves(e, cal.Plan, c.Options); err != nil {
		return nil, err
	}
	searches, err := searchesOf(e, cal.Plan, names)
	if err != nil {
		return nil, err
	}
	targets := make([]quantize.Target, len(searches))
	for i, f := range searches {
		// A policy that was stated by hand has no target to parse: its own cost stands for one.
		if targets[i], err = quantize.ParseTarget(f.Target); err != nil {
			targets[i] = quantize.BitOPsTarget(cal.Plan.BitOPs(f.Policy))
			targets[i].Text = f.Target
		}
	}
	find := func(t quantize.Target) (*selection.Found, error) {
		i := slices.IndexFunc(searches, func(f record.Search) bool { return f.Target == t.Text })
		return &selection.Found{Target: t, Result: searches[i].Result}, nil
	}
	return results(ctx, e, sup, splits, cal.Plan, targets, find, c)
}

// searchesOf reads the searches of targets with names or, without names, all that were made or stood in for.
func searchesOf(e *stage.Env, plan *quantize.Plan, names []string) ([]record.Search, error) {
	w := e.Workspace
	all, err := filepath.Glob(w.Path("search", "*.json"))
	if err != nil {
		return nil, err
	}
	// Older programs wrote policies for editing as JSON.
	all = slices.DeleteFunc(all, func(n string) bool { return strings.HasSuffix(n, ".policy.json") })
	files := all
	if len(names) > 0 {
		files = nil
	}
	for _, t := range names {
		files = append(files, w.Path(filepath.FromSlash(record.SearchFile(t))))
	}
	var out []record.Search
	for _, n := range files {
		var f record.Search
		err := w.ReadJSON("search/"+filepath.Base(n), plan, &f)
		if stage.Damaged(err) {
			return nil, e.Refuse(err)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w: workspace %s holds no policy %s%s; mpqc search finds one",
				ErrUsage, w.Dir(), record.TargetOf(n), othersThan(n, all))
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: workspace %s holds no policy; mpqc search finds one", ErrUsage, w.Dir())
	}
	return out, nil
}

// othersThan names the targets of the files besides one.
func othersThan(file string, all []string) string {
	var names []string
	for _, n := range all {
		if n != file {
			names = append(names, record.TargetOf(n))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", but " + strings.Join(names, ", ")
}
