package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/integer"
)

// MismatchError says that an exported file does not compute what the simulation does.
type MismatchError struct {
	Path      string
	First     string // the first code that differs, in graph order
	Different int64
	Compared  int64
	Missing   []string // tensors that only one side has
}

// Error names the file, how many codes differ, and the first that does.
func (e *MismatchError) Error() string {
	text := fmt.Sprintf("verify %s: %d of %d codes differ from the simulation", e.Path, e.Different, e.Compared)
	if e.First != "" {
		text += "; first " + e.First
	}
	if len(e.Missing) > 0 {
		text += "; cannot compare " + strings.Join(e.Missing, ", ")
	}
	return text
}

// VerifyResult is what `verify --json` prints.
type VerifyResult struct {
	Profile        string   `json:"profile"`
	CodesCompared  int64    `json:"codes_compared"`
	CodesDifferent int64    `json:"codes_different"`
	Flips          int      `json:"flips"`
	Lint           []string `json:"lint"`
}

// exported is the record of an exported file, beside it as NAME.json: what verify needs to compute the same from the
// supernet alone.
type exported struct {
	Target   string          `json:"target"`
	Profile  string          `json:"profile"`
	Supernet string          `json:"supernet"` // fingerprint
	Norms    string          `json:"norms"`    // file with the re-estimated BatchNorms
	Policy   quantize.Policy `json:"policy"`
}

// delivered is what is known of an exported file: as the runtime sees it, and the simulation on the test pictures.
type delivered struct {
	File   File   `json:"file"`
	Metric Metric `json:"metric"`
}

// exportAndVerify is the export and the verify stage of one target in one profile. With a MismatchError the result is
// returned, too. A file that came out as it was when it was last verified is not measured again.
func (j *job) exportAndVerify(ctx context.Context, profile, target string, supernet *quantize.Supernet, p quantize.Policy) (*delivered, error) {
	rep := j.o.Events.start(StageExport, target, "")
	m, err := export.Export(j.model, j.plan, supernet, p, export.Options{Profile: profile})
	if err != nil {
		return nil, stageError(StageExport, err)
	}
	name := fmt.Sprintf("%s-%s.%s.onnx", j.modelName(), fileName(target), profile)
	path := j.w.Path("out", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, stageError(StageExport, err)
	}
	if err := m.Save(path); err != nil {
		return nil, stageError(StageExport, err)
	}
	record := exported{target, profile, j.supernetPrint(), normsFile(target), p}
	if err := j.w.WriteJSON("out/"+strings.TrimSuffix(name, ".onnx")+".json", record); err != nil {
		return nil, err
	}
	f := File{Profile: profile, Path: path}
	if f.SHA256, f.Bytes, err = hashFile(path); err != nil {
		return nil, err
	}
	j.seconds.Export += rep.done(path)
	key, err := j.testKey("file", f.SHA256, j.supernetPrint(), p, j.o.NormSamples, j.o.VerifySamples)
	if err != nil {
		return nil, err
	}
	fresh := &delivered{File: f}
	d, err := cached(j.w, "scores/"+name+".json", key, func() (delivered, error) {
		base, err := j.floatReference(ctx)
		if err != nil {
			return *fresh, err
		}
		sim, err := j.verifyFile(ctx, &fresh.File, supernet, p, base)
		if sim != nil {
			fresh.Metric = Metric{Top1: sim.top1(), Loss: sim.tally.meanLoss(), Agreement: sim.agreement}
		}
		return *fresh, err
	})
	d.File.Path = path
	return &d, err
}

// verifyFile compares a file on disk with the simulation and measures both on the test pictures. The simulation is
// built from the supernet and the policy; it never reads the file.
func (j *job) verifyFile(ctx context.Context, f *File, supernet *quantize.Supernet, p quantize.Policy, base *reference) (*reference, error) {
	rep := j.o.Events.start(StageVerify, filepath.Base(f.Path), "")
	m, err := loadExported(f.Path)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	network, err := j.network(supernet, p)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	codes, err := j.compareCodes(ctx, m, network)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	f.CodesCompared, f.CodesDifferent = codes.Compared, codes.Different
	f.Verified = codes.Different == 0 && len(codes.Missing) == 0 && codes.Compared > 0
	run, sim, err := j.measureBoth(ctx, f, network, base, rep)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	f.Top1 = run.top1()
	if f.FloatImagesPerS, f.ImagesPerS, err = j.compareSpeed(ctx, f.Path); err != nil {
		return nil, stageError(StageVerify, err)
	}
	f.PicturesCompared = sim.tally.n
	_, f.Flips = agreement(sim.logits, run.logits[:len(sim.logits)], sim.tally.n)
	f.MaxAbsDiff = maxAbsDiff(sim.logits, run.logits[:len(sim.logits)])
	j.seconds.Verify += rep.done(fmt.Sprintf("%d codes compared, %d differ", codes.Compared, codes.Different))
	if !f.Verified {
		return sim, newMismatch(f.Path, codes)
	}
	if sim.tally.n < run.tally.n {
		return run, nil
	}
	return sim, nil
}

// measureBoth runs the file in the runtime and the simulation over the test pictures.
func (j *job) measureBoth(ctx context.Context, f *File, network *integer.Network, base *reference, rep *reporter) (run, sim *reference, err error) {
	data, err := os.ReadFile(f.Path)
	if err != nil {
		return nil, nil, err
	}
	indices, err := j.testIndices(ctx)
	if err != nil {
		return nil, nil, err
	}
	if run, err = j.measure(ctx, data, j.data.test, indices, base.logits, rep); err != nil {
		return nil, nil, err
	}
	sim, err = j.simulate(ctx, network, j.data.test, indices, base.logits)
	return run, sim, err
}

// compareSpeed is the rate of the float model and of a file.
func (j *job) compareSpeed(ctx context.Context, path string) (float, file float64, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	model, err := j.float.Marshal()
	if err != nil {
		return 0, 0, err
	}
	return j.speed(ctx, model, data)
}

func newMismatch(path string, c export.Comparison) *MismatchError {
	e := &MismatchError{Path: path, Different: c.Different, Compared: c.Compared, Missing: c.Missing}
	if c.First != nil {
		e.First = c.First.String()
	}
	return e
}

// Verify compares an exported file of a workspace with the simulation, from the supernet and the recorded policy.
func Verify(ctx context.Context, o Options, path string) (*VerifyResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if !fileExists(path) {
		return nil, fmt.Errorf("%w: %s does not exist", ErrUsage, path)
	}
	if o.Workspace == "" {
		o.Workspace = workspaceOf(path)
	}
	if _, err := OpenWorkspace(o.Workspace); err != nil {
		return nil, fmt.Errorf("%w: %s is not in out/ of a workspace, state it with --workspace", ErrUsage, path)
	}
	j, err := openJob(o)
	if err != nil {
		return nil, err
	}
	defer j.close()
	var record exported
	if err := j.w.ReadJSON("out/"+strings.TrimSuffix(filepath.Base(path), ".onnx")+".json", &record); err != nil {
		return nil, err
	}
	if err := j.prepare(ctx); err != nil {
		return nil, err
	}
	if err := j.openSupernet(); err != nil {
		return nil, err
	}
	supernet, err := j.withNorms(record.Norms)
	if err != nil {
		return nil, err
	}
	base, err := j.floatReference(ctx)
	if err != nil {
		return nil, err
	}
	f := &File{Profile: record.Profile, Path: path}
	_, err = j.verifyFile(ctx, f, supernet, record.Policy, base)
	if err != nil && !errors.As(err, new(*MismatchError)) {
		return nil, err
	}
	lint, lintErr := lintFile(path, record.Profile)
	if lintErr != nil {
		return nil, lintErr
	}
	return &VerifyResult{record.Profile, f.CodesCompared, f.CodesDifferent, f.Flips, lint}, err
}

// modelName is the imported model's base name without extension.
func (j *job) modelName() string {
	n := j.w.Manifest.Model.Name
	return strings.TrimSuffix(n, filepath.Ext(n))
}

// workspaceOf is the workspace that an exported file lies in: two folders up.
func workspaceOf(path string) string { return filepath.Dir(filepath.Dir(path)) }

// lintFile lists what is wrong with a file by the conventions of its profile.
func lintFile(path, profile string) ([]string, error) {
	m, err := loadExported(path)
	if err != nil {
		return nil, err
	}
	findings, err := export.Lint(m, profile)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, f := range findings {
		out = append(out, f.String())
	}
	return out, nil
}

// loadExported reads a file back as it will be used.
func loadExported(path string) (*onnx.Model, error) {
	m, err := onnx.Load(path)
	if err != nil {
		return nil, fmt.Errorf("reload exported file: %w", err)
	}
	return m, m.Validate()
}
