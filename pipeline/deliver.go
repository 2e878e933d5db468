package pipeline

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/selection/policy"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// deliver exports and verifies the policy of a target, and measures it beside its baseline.
func (j *job) deliver(ctx context.Context, t quantize.Target, res *search.Result) (TargetResult, error) {
	row := TargetResult{
		Target: t.Text, BitOPs: j.plan.BitOPs(res.Policy), PackedBytes: j.plan.PackedBytes(res.Policy, j.plan.FloatRest),
		Uniform: Uniform{Bits: res.UniformBits, BitOPs: j.plan.BitOPs(res.Uniform)},
		Policy:  policyRows(j.plan, res.Policy),
		Files:   []File{},
	}
	row.AvgWeightBits, row.AvgActivationBits = j.plan.AverageBits(res.Policy)
	if row.Uniform.Bits == 0 { // nothing to choose from
		row.Uniform.Bits = int(math.Round(row.AvgWeightBits))
	}
	if err := j.w.Write(policyFile(t.Text), policy.Text(t.Text, j.plan, res.Policy)); err != nil {
		return row, err
	}
	polishing, err := j.polishingOf(t.Text, res.Policy)
	if err != nil {
		return row, stageError(event.StagePolish, err)
	}
	var before *measured
	var hits metric.Hits
	for _, profile := range j.o.Profiles {
		x, err := j.ready(ctx, t.Text, res.Policy, profile, polishing)
		if err != nil {
			return row, err
		}
		before = x.before
		d, err := j.exportAndVerify(ctx, profile, x)
		if d != nil {
			if len(row.Files) == 0 { // the headline is the first profile's
				row.Metric, hits = d.Metric, d.Hits
			}
			row.Files = append(row.Files, d.File)
		}
		if err != nil {
			return row, err
		}
	}
	found := measured{row.Metric, hits}
	if before != nil {
		found, row.Polish = *before, polishing.added(*before, hits)
		j.warnRaised(t.Text, before.Metric.Loss, row.Metric.Loss)
	}
	return row, stageError(event.StageEval, j.uniform(ctx, t.Text, res, &row, found))
}

// ready is a policy that can be exported, and the supernet as it is for that.
type ready struct {
	target   string
	policy   quantize.Policy
	supernet *quantize.Supernet
	overlay  string // file with the arrays that are the target's own

	before *measured // what the policy was before it was polished; nil: it was not
}

// ready re-estimates the norms of a policy for files of a profile or, unless m is nil, for those of the first one, where it is polished: what
// that trains serves all profiles.
func (j *job) ready(ctx context.Context, target string, p quantize.Policy, profile string, m *polishing) (x ready, err error) {
	if m != nil {
		profile = j.o.Profiles[0]
	}
	x = ready{target: target, policy: p, overlay: normsFile(target, profile)}
	if x.supernet, err = j.reestimate(ctx, p, target, profile); err != nil {
		return x, stageError("batch norm", err)
	}
	if m == nil {
		return x, nil
	}
	from := x.supernet
	before, err := j.measurePolicy(ctx, target, "unpolished", p, func() (*quantize.Supernet, error) { return from, nil })
	if err != nil {
		return x, stageError(event.StageEval, err)
	}
	x.before, x.overlay = &before, polishedFile(target)
	x.supernet, err = j.polish(ctx, m, target, from)
	return x, stageError(event.StagePolish, err)
}

// exportAndVerify is the export and the verify stage of one target in one profile. With a MismatchError the result is
// returned, too. A file that came out as it was when it was last verified is not measured again.
func (j *job) exportAndVerify(ctx context.Context, profile string, x ready) (*delivered, error) {
	f, supernet, err := j.writeFile(ctx, profile, x)
	if err != nil {
		return nil, stageError(event.StageExport, err)
	}
	key, err := j.testKey("file", verifyVersion, f.SHA256, j.supernetPrint(), x.policy, j.o.NormSamples, j.o.VerifySamples)
	if err != nil {
		return nil, err
	}
	fresh := &delivered{File: *f}
	d, err := cached(j, "scores/"+filepath.Base(f.Path)+".json", key, func() (delivered, error) {
		base, err := j.floatReference(ctx)
		if err != nil {
			return *fresh, err
		}
		if err := j.sizeUp(&fresh.File, supernet, x.policy); err != nil {
			return *fresh, err
		}
		sim, err := j.verifyFile(ctx, &fresh.File, supernet, x.policy, base)
		if sim != nil {
			fresh.Metric = Metric{Top1: sim.Top1(), Loss: sim.Tally.MeanLoss(), Agreement: sim.Agreement}
			fresh.Hits = sim.Tally.Hits
		}
		return *fresh, err
	})
	d.File.Path = f.Path // the workspace may have moved
	d.File.sayArithmetic()
	return &d, err
}

// delivered is what is known of an exported file: as the runtime sees it, and the simulation on the test pictures.
type delivered struct {
	File   File        `json:"file"`
	Metric Metric      `json:"metric"`
	Hits   metric.Hits `json:"hits,omitempty"` // behind Metric.Top1
}

// writeFile exports a policy in the dialect of a profile, and returns the supernet as the file holds it.
func (j *job) writeFile(ctx context.Context, profile string, x ready) (*File, *quantize.Supernet, error) {
	dialect := export.Named(profile)
	packed := j.stated.Packed && dialect.Unpackable == ""
	name := fmt.Sprintf("%s-%s.%s.onnx", j.modelName(), fileName(x.target), profile)
	if packed {
		name = strings.TrimSuffix(name, ".onnx") + ".packed.onnx"
	}
	rep := j.o.Events.Start(event.StageExport, x.target, "writing "+name)
	supernet, limited, err := dialect.Supernet(j.plan, x.supernet, x.policy)
	if err != nil {
		return nil, nil, err
	}
	m, err := export.Export(j.model, j.plan, supernet, x.policy, export.Options{Profile: profile, Packed: packed, Tail: j.parts.Tail()})
	if err != nil {
		return nil, nil, err
	}
	path := j.w.Path("out", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, nil, err
	}
	if err := j.saveExported(m, path); err != nil {
		return nil, nil, err
	}
	if err := j.record(strings.TrimSuffix(name, ".onnx"), profile, x); err != nil {
		return nil, nil, err
	}
	f := &File{Profile: profile, Path: path, Limited: append([]string{}, limited...), Packed: packed}
	if err := f.describe(ctx); err != nil {
		return nil, nil, err
	}
	j.seconds.Export += rep.Done(path)
	return f, supernet, nil
}

// exported is the record of an exported file, beside it as NAME.json: what verify needs to compute the same from the
// supernet alone.
type exported struct {
	Target   string `json:"target"`
	Profile  string `json:"profile"`
	Supernet string `json:"supernet"` // fingerprint
	Overlay  string `json:"norms"`    // file with what the target has of its own: re-estimated norms, or all that polish trained
	// OverlaySHA256 is the hash of that file: another search or polish of the target writes it anew.
	OverlaySHA256 string          `json:"norms_sha256,omitempty"`
	Policy        quantize.Policy `json:"policy"`
	Version       int             `json:"version"` // Profile.SupernetVersion of package export
}

// record writes what verify needs beside an exported file.
func (j *job) record(name, profile string, x ready) error {
	sum, err := j.w.Sum(x.overlay)
	if err != nil {
		return err
	}
	return j.w.WriteJSON("out/"+name+".json", exported{x.target, profile, j.supernetPrint(), x.overlay, sum, x.policy, export.Named(profile).SupernetVersion()})
}

// policyRows lists the layers of a policy.
func policyRows(plan *quantize.Plan, p quantize.Policy) []PolicyRow {
	rows := make([]PolicyRow, len(plan.Layers))
	for i, l := range plan.Layers {
		w, a := plan.Bits(p, i)
		rows[i] = PolicyRow{l.Node, w, a, l.MACs, l.Params}
	}
	return rows
}
