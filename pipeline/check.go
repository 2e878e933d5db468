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
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/quantize"
)

// VerifyResult is what `verify --json` prints. A file that is only linted has no codes compared.
type VerifyResult struct {
	Profile        string  `json:"profile"`
	CodesCompared  int64   `json:"codes_compared"`
	CodesDifferent int64   `json:"codes_different"`
	MaxCodeDiff    int     `json:"max_code_diff"`
	Flips          int     `json:"flips"`
	MaxAbsDiff     float64 `json:"max_abs_diff"` // of the outputs of the whole file, on the test pictures
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
	if !fileExists(path) {
		return nil, fmt.Errorf("%w: %s does not exist", ErrUsage, path)
	}
	m, err := loadExported(path)
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
	j, err := readJob(o)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is not in out/ of a workspace, state it with --workspace", ErrUsage, path)
	}
	if err != nil {
		return err
	}
	defer j.close()
	if err := j.openAll(ctx); err != nil {
		return j.refuse(err)
	}
	if text := j.changedFile(path); text != "" {
		j.o.Events.Start(event.StageVerify, "", "").Warning(text)
	}
	record, err := j.recordOf(path, m)
	if err != nil {
		return j.refuse(err)
	}
	supernet, err := j.overlaid(record.Overlay)
	if err != nil {
		return j.refuse(err)
	}
	if err := j.checkRecord(record, path); err != nil {
		return err
	}
	base, err := j.floatReference(ctx)
	if err != nil {
		return err
	}
	if supernet, _, err = export.Named(r.Profile).Supernet(j.plan, supernet, record.Policy); err != nil {
		return err
	}
	f := &File{Profile: r.Profile, Path: path}
	_, err = j.verifyFile(ctx, f, supernet, record.Policy, base)
	r.CodesCompared, r.CodesDifferent, r.MaxCodeDiff = f.CodesCompared, f.CodesDifferent, f.MaxCodeDiff
	r.Flips, r.MaxAbsDiff = f.Flips, f.MaxAbsDiff
	r.Outputs, r.ComputedBy = f.Outputs, f.ComputedBy
	return err
}

// checkRecord refuses a file of an earlier state of the workspace: nothing there says what it should compute.
func (j *job) checkRecord(r *exported, path string) error {
	sum, err := j.w.Sum(r.Overlay)
	if err != nil {
		return err
	}
	var what string
	switch {
	case r.Supernet != j.supernetPrint():
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

// openAll opens what a finished training left, and the pictures.
func (j *job) openAll(ctx context.Context) error {
	if err := checkTrained(j.w.Dir()); err != nil {
		return err
	}
	if err := checkRuntime(j.o.OnnxRuntime); err != nil {
		return err
	}
	if err := checkProvider(j.o.Provider); err != nil {
		return err
	}
	imported := func() error { return j.openImported(ctx) }
	for _, open := range []func() error{j.dataPath, imported, j.openData, j.openCalibrated, j.openSupernet} {
		if err := open(); err != nil {
			return err
		}
	}
	return nil
}

// recordOf finds the record of an exported file: that of its name, else, for a file that was renamed, one whose policy
// is the file's.
func (j *job) recordOf(path string, m *onnx.Model) (*exported, error) {
	var record exported
	name := "out/" + strings.TrimSuffix(filepath.Base(path), ".onnx") + ".json"
	err := j.w.ReadJSON(name, j.plan, &record)
	if err == nil {
		return &record, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	d, err := metadata.Describe(m)
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(j.w.Path("out", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		var r exported
		if j.w.ReadJSON("out/"+filepath.Base(n), j.plan, &r) != nil || r.Profile != d.Profile {
			continue
		}
		if slices.Equal(d.Layers, layerBits(j, r)) {
			return &r, nil
		}
	}
	return nil, fmt.Errorf("%w: workspace %s has no record of %s or of a file with its policy", ErrUsage, j.w.Dir(), path)
}

func layerBits(j *job, r exported) []metadata.LayerBits {
	var out []metadata.LayerBits
	for i, l := range j.plan.Layers {
		w, a := j.plan.Bits(r.Policy, i)
		out = append(out, metadata.LayerBits{Node: l.Node, W: w, A: a})
	}
	return out
}

// workspaceOf is the workspace that an exported file lies in: two folders up.
func workspaceOf(path string) string { return filepath.Dir(filepath.Dir(path)) }
