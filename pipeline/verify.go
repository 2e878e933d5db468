package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/delivery"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/quantize"
)

// VerifyResult is what `verify --json` prints. A file that is only linted has no codes compared.
type VerifyResult struct {
	Profile        string  `json:"profile"`
	CodesCompared  int64   `json:"codes_compared"`
	CodesDifferent int64   `json:"codes_different"`
	MaxCodeDiff    int     `json:"max_code_diff"`
	Flips          int     `json:"flips"`
	MaxAbsDiff     float64 `json:"max_abs_diff"` // of the outputs of the whole file, on the test samples
	// Outputs says how near each output of the whole file is to the simulation's; ComputedBy by what it was computed.
	Outputs    []Fidelity `json:"outputs,omitempty"`
	ComputedBy string     `json:"computed_by,omitempty"`
	Lint       []string   `json:"lint"`
	// Errors counts the lines of Lint that are no warnings.
	Errors int `json:"errors"`
}

// Verify lints a quantized file against a profile and, where mpqc wrote it and its workspace is at hand, compares it
// with the simulation, from the supernet and the recorded policy. It changes nothing in the workspace. Without a stated
// profile the file's own counts; with another one it is only linted.
func Verify(ctx context.Context, o Options, path, profile string) (*VerifyResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := file.Check(path, false); err != nil {
		return nil, fmt.Errorf("%w: verify %s: %w", ErrUsage, path, err)
	}
	if missing(path) {
		return nil, fmt.Errorf("%w: %s does not exist", ErrUsage, path)
	}
	m, err := delivery.LoadExported(path)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", path, err)
	}
	own, ours := m.Metadata(metadata.ProfileKey)
	if profile == "" {
		profile = own
	}
	if profile == "" {
		return nil, fmt.Errorf("%w: mpqc did not write %s: state the --profile to lint it against", ErrUsage, path)
	}
	r := &VerifyResult{Profile: profile}
	if err := r.lint(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if !ours || profile != own {
		return r, nil
	}
	return r, r.compare(ctx, o, path, m)
}

// lint lists what is wrong by the conventions of the profile.
func (r *VerifyResult) lint(m *onnx.Model) error {
	p, err := export.ProfileOf(r.Profile)
	if err != nil {
		return fmt.Errorf("lint: %w", err)
	}
	findings, err := lint.Check(m, p.Conventions())
	r.Lint = []string{}
	for _, f := range findings {
		r.Lint = append(r.Lint, f.String())
		if !f.Warning {
			r.Errors++
		}
	}
	return err
}

// compare compares the file with the simulation of its workspace.
func (r *VerifyResult) compare(ctx context.Context, o Options, path string, m *onnx.Model) error {
	if o.Workspace == "" {
		o.Workspace = workspaceOf(path)
	}
	s, c, err := openReadOnly(o)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is not in out/ of a workspace, state it with --workspace", ErrUsage, path)
	}
	if err != nil {
		return err
	}
	defer s.leave(nil)
	e := s.env
	sup, splits, err := openAll(ctx, e, c)
	if err != nil {
		return e.Refuse(err)
	}
	defer func() { _ = splits.Close() }() // only read
	if text := changedFile(e, path); text != "" {
		e.Warn(event.StageVerify, "", text)
	}
	rec, err := recordOf(e, sup.Plan, path, m)
	if err != nil {
		return e.Refuse(err)
	}
	arrays, err := sup.Overlaid(e, rec.Overlay)
	if err != nil {
		return e.Refuse(err)
	}
	if err := checkRecord(e, sup, rec, path); err != nil {
		return err
	}
	base, err := evaluation.Float(ctx, e, sup.Network, splits)
	if err != nil {
		return err
	}
	if arrays, _, err = export.Named(r.Profile).Supernet(sup.Plan, arrays, rec.Policy); err != nil {
		return err
	}
	f := &File{Profile: r.Profile, Path: path}
	_, err = delivery.Verify(ctx, e, sup, delivery.Sample{Samples: splits, Float: base}, f, arrays, rec.Policy, c.VerifyOptions)
	r.CodesCompared, r.CodesDifferent, r.MaxCodeDiff = f.CodesCompared, f.CodesDifferent, f.MaxCodeDiff
	r.Flips, r.MaxAbsDiff = f.Flips, f.MaxAbsDiff
	r.Outputs, r.ComputedBy = f.Outputs, f.ComputedBy
	return err
}

// openAll opens what a finished training left, and the samples. Callers close these.
func openAll(ctx context.Context, e *stage.Env, c call) (*supernet.Supernet, *samples.Samples, error) {
	if err := checkTrained(e.Workspace.Dir()); err != nil {
		return nil, nil, err
	}
	if err := checkMachine(e, c.Options); err != nil {
		return nil, nil, err
	}
	if _, err := samples.Locate(c.Data); err != nil {
		return nil, nil, err
	}
	net, err := network.Open(ctx, e, network.Source{}, c.ModelOptions, c.WidthOptions)
	if err != nil {
		return nil, nil, err
	}
	splits, err := openSamples(e, net, c.Options)
	if err != nil {
		return nil, nil, err
	}
	cal, err := calibration.Open(e, net)
	if err == nil {
		var sup *supernet.Supernet
		if sup, err = supernet.Open(e, cal, splits, c.TrainingOptions, c.RoundingOptions); err == nil {
			return sup, splits, nil
		}
	}
	return nil, nil, errors.Join(err, splits.Close())
}

// checkRecord refuses a file of an earlier state of the workspace: nothing there says what it should compute.
func checkRecord(e *stage.Env, sup *supernet.Supernet, r *record.Export, path string) error {
	sum, err := e.Workspace.Sum(r.Overlay)
	if err != nil {
		return err
	}
	var what string
	switch {
	case r.Supernet != sup.Stamp:
		what = "the supernet was trained or rounded anew since"
	case r.OverlaySHA256 != "" && r.OverlaySHA256 != sum: // older programs recorded none
		what = "target " + r.Target + " was searched or polished anew since"
	case export.Named(r.Profile).Pairs != quantize.Unpaired && r.Version != export.Named(r.Profile).SupernetVersion():
		what = "weights are bounded in another way since an earlier mpqc, by which"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s %s was written, and there is nothing to compare it with: mpqc export --target %s --profile %s writes it anew",
		ErrUsage, what, path, r.Target, r.Profile)
}

// recordOf finds the record of an exported file: that of its name, else, for a file that was renamed, one whose policy
// is the file's.
func recordOf(e *stage.Env, plan *quantize.Plan, path string, m *onnx.Model) (*record.Export, error) {
	var rec record.Export
	name := "out/" + strings.TrimSuffix(filepath.Base(path), ".onnx") + ".json"
	err := e.Workspace.ReadJSON(name, plan, &rec)
	if err == nil {
		return &rec, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	d, err := metadata.Describe(m)
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(e.Workspace.Path("out", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		var r record.Export
		if e.Workspace.ReadJSON("out/"+filepath.Base(n), plan, &r) != nil || r.Profile != d.Profile {
			continue
		}
		if slices.Equal(d.Layers, layerBits(plan, r)) {
			return &r, nil
		}
	}
	return nil, fmt.Errorf("%w: workspace %s has no record of %s or of a file with its policy", ErrUsage, e.Workspace.Dir(), path)
}

func layerBits(plan *quantize.Plan, r record.Export) []metadata.LayerBits {
	var out []metadata.LayerBits
	for i, l := range plan.Layers {
		w, a := plan.Bits(r.Policy, i)
		out = append(out, metadata.LayerBits{Node: l.Node, W: w, A: a})
	}
	return out
}

// workspaceOf is the workspace that an exported file lies in: two folders up.
func workspaceOf(path string) string { return filepath.Dir(filepath.Dir(path)) }

// missing reports whether there is nothing at a path.
func missing(path string) bool {
	_, err := os.Stat(path)
	return err != nil
}

// changedFile says of a file in out/ that it is not as it was exported, "" if it is.
func changedFile(e *stage.Env, file string) string {
	name := "out/" + filepath.Base(file)
	was, here := e.Workspace.Manifest.Artifacts[name]
	lies, err := os.Stat(e.Workspace.Path(filepath.FromSlash(name)))
	stated, failed := os.Stat(file)
	if !here || err != nil || failed != nil || !os.SameFile(lies, stated) {
		return ""
	}
	if sum, err := e.Workspace.Sum(name); err != nil || sum == was.SHA256 || sum == was.Next {
		return ""
	}
	return file + " is not the file that was exported: its SHA-256 is another one than in manifest.json; it is compared as it is"
}
