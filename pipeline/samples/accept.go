package samples

import (
	"context"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// checkBatch is the number of samples that are read at a time to see whether they can be.
const checkBatch = 64

// Accept makes the opened samples those of the workspace. New ones are looked at first: every test
// sample, and n training samples, as many as calibration takes. What cannot be used leaves the manifest with the
// samples that worked.
func (p *Samples) Accept(ctx context.Context, e *stage.Env, n int) error {
	m := &e.Workspace.Manifest
	if m.Data == nil || m.Data.Fingerprint != p.Fingerprint {
		e.Disown()
	}
	if m.Data != nil && m.Data.Stamp == p.Stamp {
		m.Data.Path = p.Path
		return nil
	}
	if m.Trained == nil && e.Keep { // older programs did not say
		m.Trained = m.Data
	}
	if err := p.checkTest(ctx, e); err != nil {
		return err
	}
	if err := p.Each(ctx, p.Train, p.Some(n, "calibrate", e.Seed), checkBatch, func(Batch) error { return nil }); err != nil {
		return err
	}
	m.Data = &workspace.DataInfo{
		Path: p.Path, Fingerprint: p.Fingerprint, Stamp: p.Stamp, Classes: len(p.Test.Classes()), Train: p.Train.Len(), Test: p.Test.Len(),
	}
	return nil
}

// TestIndices are all test samples that can be used. The first call looks at each of them.
func (p *Samples) TestIndices(ctx context.Context, e *stage.Env) ([]int, error) {
	if err := p.checkTest(ctx, e); err != nil {
		return nil, err
	}
	return All(p.Test.Len()), nil
}

// checkTest takes broken samples out of the test split before anything is measured: a final number must not count a
// sample twice because it stands in for a broken one.
func (p *Samples) checkTest(ctx context.Context, e *stage.Env) error {
	if p.checked {
		return nil
	}
	rep := e.Start(event.StageData, "", "")
	if err := p.Test.Check(ctx, checking(e, rep)); err != nil {
		return err
	}
	rep.Done(fmt.Sprintf("%d test samples checked", p.Test.Len()))
	p.checked = true
	WarnBad(e, "test", p.Test)
	return nil
}

// checking shows how far a check is.
func checking(e *stage.Env, rep *event.Reporter) dataset.CheckOptions {
	return dataset.CheckOptions{
		Workers:  e.Machine.Workers(),
		Progress: func(done, total int) { rep.Progress(int64(done), int64(total), "checking samples") },
	}
}

// Usable draws n test samples that can be used for a purpose, and checks no others; in place of broken ones it draws
// further ones.
func (p *Samples) Usable(ctx context.Context, e *stage.Env, n int, purpose string) ([]int, error) {
	set := p.Test
	rest := Permuted(set.Len(), set.Len(), purpose, e.Seed)
	rep := e.Start(event.StageData, "", "")
	var out []int
	for len(out) < n && len(rest) > 0 {
		k := min(n-len(out), len(rest))
		good, err := set.Usable(ctx, rest[:k], checking(e, rep))
		if err != nil {
			return nil, err
		}
		out, rest = append(out, good...), rest[k:]
	}
	rep.Done(fmt.Sprintf("%d samples checked", set.Len()-len(rest)))
	WarnBad(e, "test", set)
	slices.Sort(out)
	return out, nil
}

// WarnBad names the samples of a split that could not be used.
func WarnBad(e *stage.Env, split string, set *dataset.Set) {
	bad := set.Bad()
	if len(bad) == 0 {
		return
	}
	text := fmt.Sprintf("%d %s samples cannot be used and are left out: %s", len(bad), split, bad[0])
	if len(bad) == 1 {
		text = fmt.Sprintf("1 %s sample cannot be used and is left out: %s", split, bad[0])
	} else if len(bad) > 1 {
		text += fmt.Sprintf("; and %d more", len(bad)-1)
	}
	e.Warn(event.StageData, "", text)
}
