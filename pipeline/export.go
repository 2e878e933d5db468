package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/pipeline/session"
	"github.com/mpqc/mpqc/quantize"
)

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
}

// delivered is what is known of an exported file: as the runtime sees it, and the simulation on the test pictures.
type delivered struct {
	File   File        `json:"file"`
	Metric Metric      `json:"metric"`
	Hits   metric.Hits `json:"hits,omitempty"` // behind Metric.Top1
}

// exportAndVerify is the export and the verify stage of one target in one profile. With a MismatchError the result is
// returned, too. A file that came out as it was when it was last verified is not measured again.
func (j *job) exportAndVerify(ctx context.Context, profile string, x ready) (*delivered, error) {
	target, p := x.target, x.policy
	packed := j.stated.Packed && export.Unpackable(profile) == ""
	name := fmt.Sprintf("%s-%s.%s.onnx", j.modelName(), fileName(target), profile)
	if packed {
		name = strings.TrimSuffix(name, ".onnx") + ".packed.onnx"
	}
	rep := j.o.Events.start(StageExport, target, "writing "+name)
	supernet, limited, err := runnable(j.plan, x.supernet, p, profile)
	if err != nil {
		return nil, stageError(StageExport, err)
	}
	m, err := export.Export(j.model, j.plan, supernet, p, export.Options{Profile: profile, Packed: packed, Tail: j.parts.Tail()})
	if err != nil {
		return nil, stageError(StageExport, err)
	}
	path := j.w.Path("out", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, stageError(StageExport, err)
	}
	if err := j.saveExported(m, path); err != nil {
		return nil, stageError(StageExport, err)
	}
	if err := j.record(strings.TrimSuffix(name, ".onnx"), profile, x); err != nil {
		return nil, err
	}
	f := File{Profile: profile, Path: path, Limited: append([]string{}, limited...), Packed: packed}
	if err := f.describe(ctx); err != nil {
		return nil, err
	}
	j.seconds.Export += rep.done(path)
	key, err := j.testKey("file", verifyVersion, f.SHA256, j.supernetPrint(), p, j.o.NormSamples, j.o.VerifySamples)
	if err != nil {
		return nil, err
	}
	fresh := &delivered{File: f}
	d, err := cached(j.w, "scores/"+name+".json", key, func() (delivered, error) {
		base, err := j.floatReference(ctx)
		if err != nil {
			return *fresh, err
		}
		if err := j.sizeUp(&fresh.File, supernet, p); err != nil {
			return *fresh, err
		}
		sim, err := j.verifyFile(ctx, &fresh.File, supernet, p, base)
		if sim != nil {
			fresh.Metric = Metric{Top1: sim.top1(), Loss: sim.tally.MeanLoss(), Agreement: sim.agreement}
			fresh.Hits = sim.tally.Hits
		}
		return *fresh, err
	})
	d.File.Path = path
	d.File.sayArithmetic()
	return &d, err
}

// record writes what verify needs beside an exported file.
func (j *job) record(name, profile string, x ready) error {
	sum, _, err := hashFile(j.w.Path(x.overlay))
	if err != nil {
		return err
	}
	return j.w.WriteJSON("out/"+name+".json", exported{x.target, profile, j.supernetPrint(), x.overlay, sum, x.policy})
}

// runnable is the supernet as files of a profile hold it. Those of onnxruntime must compute the same on CPUs without
// VNNI.
func runnable(plan *quantize.Plan, s *quantize.Supernet, p quantize.Policy, profile string) (*quantize.Supernet, []string, error) {
	if profile != export.ProfileORT {
		return s, nil, nil
	}
	return quantize.LimitPairs(plan, s, p)
}

// sizeUp fills in what a file is: how it stores weights, what runs at which width, and what loading it takes.
func (j *job) sizeUp(f *File, supernet *quantize.Supernet, p quantize.Policy) error {
	var bits, weights int64
	for i := range j.plan.Layers {
		w, _ := j.plan.Bits(p, i)
		if !f.Packed {
			w = export.StoredBits(f.Profile)
		}
		bits, weights = bits+int64(w)*j.plan.Layers[i].Params, weights+j.plan.Layers[i].Params
	}
	f.StoredBits = float64(bits) / float64(max(weights, 1))
	if f.Profile != export.ProfileORT {
		return nil
	}
	core, err := j.exportedCore(f.Path)
	if err != nil {
		return err
	}
	data, remove, err := j.document(core)
	if err != nil {
		return err
	}
	defer remove()
	reasons := map[string]string{}
	for _, f := range j.plan.Float {
		reasons[f.Node] = f.Reason
	}
	integers, floats, err := data.FloatOps(j.w.dir, reasons)
	f.IntegerOps, f.FloatOps = &integers, floats
	if err != nil || !f.Packed {
		return err
	}
	m, err := export.Export(j.model, j.plan, supernet, p, export.Options{Profile: f.Profile})
	if err != nil {
		return err
	}
	plain, removePlain, err := j.document(m)
	if err != nil {
		return err
	}
	defer removePlain()
	costs, err := session.LoadCosts(data, plain)
	if err != nil {
		return err
	}
	f.Load, f.PlainLoad, f.PlainLength = &costs[0], &costs[1], m.Size()
	return nil
}

// saveExported writes a file and what its runtime wants beside it.
func (j *job) saveExported(m *onnx.Model, path string) error {
	if suffix, data := export.Sidecar(m); data != nil {
		name, err := filepath.Rel(j.w.dir, sidecarPath(path, suffix))
		if err != nil {
			return err
		}
		if err := j.w.Write(filepath.ToSlash(name), data); err != nil {
			return err
		}
	}
	return m.Save(path)
}

// sidecarPath is the file beside an exported one.
func sidecarPath(path, suffix string) string { return strings.TrimSuffix(path, ".onnx") + suffix }

// loadExported reads a file back as it will be used. What lies beside it replaces the copy in its metadata.
func loadExported(path string) (*onnx.Model, error) {
	m, err := onnx.Load(path)
	if err != nil {
		return nil, fmt.Errorf("reload exported file: %w", err)
	}
	if suffix, _ := export.Sidecar(m); suffix != "" {
		data, err := os.ReadFile(sidecarPath(path, suffix))
		if err != nil {
			return nil, fmt.Errorf("reload exported file: %w", err)
		}
		m.SetMetadata(export.EncodingsKey, string(data))
	}
	return m, m.Validate()
}

// modelName is the imported model's base name without extension.
func (j *job) modelName() string {
	n := j.w.Manifest.Model.Name
	return strings.TrimSuffix(n, filepath.Ext(n))
}

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
		k := slices.IndexFunc(j.o.Profiles, func(p string) bool { return !export.HasZeroPoints(p) })
		return fmt.Errorf("%w: profile %s has no zero points of activations, and the supernet in %s was trained with one for tensor %q; "+
			"compress --profile ort,%[2]s --retrain trains one that serves both", ErrUsage, j.o.Profiles[k], j.w.dir, j.plan.Points[i].Tensor)
	}
	i := slices.IndexFunc(j.o.Profiles, export.NeedsInt8)
	if i < 0 || j.o.Int8 {
		return nil
	}
	return fmt.Errorf("%w: profile %s has no unsigned 8-bit type, and the supernet in %s was trained with unsigned 8-bit tensors; "+
		"compress --profile ort,%[2]s --retrain trains one that serves both", ErrUsage, j.o.Profiles[i], j.w.dir)
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
		if err := j.w.ReadJSON("search/"+filepath.Base(n), &f); err != nil || f.Result == nil {
			return nil, fmt.Errorf("%w: workspace %s holds no policy %s%s; mpqc search finds one",
				ErrUsage, j.w.dir, targetOf(n), othersThan(n, all))
		}
		if err := j.plan.Validate(f.Policy); err != nil {
			return nil, fmt.Errorf("policy of target %s: %w", f.Target, err)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: workspace %s holds no policy; mpqc search finds one", ErrUsage, j.w.dir)
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
