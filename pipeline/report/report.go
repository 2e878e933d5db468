// Package report renders a result: report.json for programs, report.html, one file without external references, for
// people, and two of its figures for documents: front.svg (losses over budgets) and turbulence.svg.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// document is report.json: the result, how it was found, what else the workspace knows, and the manifest.
type document struct {
	Result    *record.Result     `json:"result"`
	Searches  []found            `json:"searches"` // in the order of Result.Results
	Artifacts Artifacts          `json:"insight"`
	Manifest  workspace.Manifest `json:"manifest"`

	beside *training // of another workspace, to compare with
}

// documentFile carries its own checksum, because it is written without a lock.
const documentFile = "report.json"

// Check implements workspace.Document.
func (d *document) Check(*quantize.Plan) error {
	if d.Result == nil || len(d.Searches) != len(d.Result.Results) {
		return errors.New("it holds no result")
	}
	return errors.Join(d.Result.Check(), d.Artifacts.Check())
}

// found is what the report shows of one search.
type found struct {
	Target      string          `json:"target"`
	Steps       []step          `json:"steps"`
	Pareto      []paretoRow     `json:"pareto"`
	Loss        float64         `json:"loss"` // of the result, on the samples of the search
	UniformLoss float64         `json:"uniform_loss"`
	Verdict     *record.Verdict `json:"verdict,omitempty"`
	// Random is the result of random policies of the same budget, if it was asked for.
	Random *record.AtRandom `json:"random,omitempty"`
}

// step is a step of a search.
type step struct {
	Phase  string  `json:"phase"`
	Name   string  `json:"name"`
	Kind   string  `json:"kind"`
	From   int     `json:"from"`
	To     int     `json:"to"`
	Loss   float64 `json:"loss"`
	BitOPs int64   `json:"bitops"`
}

// paretoRow is a point of the front.
type paretoRow struct {
	BitOPs int64   `json:"bitops"`
	Loss   float64 `json:"loss"`
}

// Path returns the path of the HTML report of a result.
func Path(r *record.Result) string { return filepath.Join(r.Workspace, "report.html") }

// Write renders the report into the workspace of the result. Results of an earlier report for the same supernet stay in
// it.
func Write(r *record.Result) error {
	w, err := workspace.Open(r.Workspace)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	doc, err := newDocument(w, r)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	var old document
	err = w.ReadSealed(documentFile, nil, &old)
	switch _, damaged := errors.AsType[*workspace.DamageError](err); {
	case err == nil:
		doc = merged(old, doc, r.Workspace)
	case damaged:
		warn(r, fmt.Sprintf("%v; it is begun anew", err))
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write report: %w", err)
	}
	if err := w.WriteSealed(documentFile, doc); err != nil {
		return err
	}
	return write(w, doc)
}

// warn reports a warning about the report to the events of the run.
func warn(r *record.Result, text string) { r.Events.Start("report", "", "").Warning(text) }

// Render renders report.html of a workspace again from its report.json and returns its path. beside names another
// workspace, or "", whose turbulence is shown next to its own.
//
// It takes no lock. A process that works there writes report.json first. If that changed during rendering, it is
// rendered once more.
func Render(dir, beside string) (string, error) {
	w, err := workspace.Open(dir)
	if err != nil {
		return "", fmt.Errorf("render report: %w", err)
	}
	for {
		read, err := w.Stamp("report.json")
		if err != nil {
			return "", fmt.Errorf("render report: %w", err)
		}
		if err := renderOnce(w, beside); err != nil {
			return "", err
		}
		if now, err := w.Stamp("report.json"); err != nil || now == read {
			return w.Path("report.html"), err
		}
	}
}

// renderOnce renders what report.json holds at present.
func renderOnce(w *workspace.Workspace, beside string) error {
	var doc document
	var err error
	if err = w.ReadSealed(documentFile, nil, &doc); err != nil {
		if _, damaged := errors.AsType[*workspace.DamageError](err); damaged {
			err = fmt.Errorf("%w; mpqc compress makes it anew", err)
		}
		return fmt.Errorf("render report: %w", err)
	}
	if doc.beside, err = otherTraining(beside); err != nil {
		return fmt.Errorf("render report: %w", err)
	}
	return write(w, doc)
}

// otherTraining reads the training of another workspace, nil if dir is "".
func otherTraining(dir string) (*training, error) {
	if dir == "" {
		return nil, nil
	}
	w, err := workspace.Open(dir)
	if err != nil {
		return nil, err
	}
	in, err := ReadArtifacts(w)
	if err == nil {
		err = errors.Join(in.Damaged...)
	}
	if err == nil && (in.Training == nil || len(in.Training.Events) == 0) {
		err = fmt.Errorf("workspace %s holds no training whose turbulence was recorded", dir)
	}
	if err != nil {
		return nil, err
	}
	t := newTraining(in.Training, w.Manifest)
	t.Title += ", " + base(dir)
	return t, nil
}

// write writes all files of the report.
func write(w *workspace.Workspace, doc document) error {
	html, err := render(doc)
	if err != nil {
		return err
	}
	if err := w.Write("report.html", html); err != nil {
		return err
	}
	front, err := renderFront(newFront(doc))
	if err != nil {
		return err
	}
	maps, err := renderTurbulence(doc.turbulence())
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		svg  []byte
	}{{"front.svg", front}, {"turbulence.svg", maps}} {
		if f.svg == nil {
			continue
		}
		if err := w.Write(f.name, f.svg); err != nil {
			return err
		}
	}
	return nil
}

// newDocument collects the contents of the report.
func newDocument(w *workspace.Workspace, r *record.Result) (document, error) {
	in, err := ReadArtifacts(w)
	if err != nil {
		return document{}, err
	}
	doc := document{Result: r, Artifacts: in, Manifest: w.Manifest}
	doc.Manifest.Artifacts = nil // of no interest to a reader
	for _, t := range r.Results {
		f := newFound(t)
		f.Verdict, f.Random, err = record.ReadVerdict(w, t)
		if _, damaged := errors.AsType[*workspace.DamageError](err); damaged {
			in.Damaged = append(in.Damaged, err)
		} else if err != nil {
			return document{}, err
		}
		doc.Searches = append(doc.Searches, f)
	}
	for _, err := range in.Damaged {
		warn(r, fmt.Sprintf("%v; the report shows nothing of it", err))
	}
	return doc, nil
}

// newFound picks what the report shows of a search.
func newFound(t record.TargetResult) found {
	f := found{Target: t.Target}
	if t.Search == nil {
		return f
	}
	for _, x := range t.Search.Steps {
		f.Steps = append(f.Steps, step{x.Phase, x.Name, x.Kind, x.From, x.To, x.Loss, x.BitOPs})
	}
	for _, p := range t.Search.Pareto {
		f.Pareto = append(f.Pareto, paretoRow{p.BitOPs, p.Loss})
	}
	f.Loss, f.UniformLoss = t.Search.Score.Loss, t.Search.UniformScore.Loss
	return f
}

// merged adds to the document now what an earlier one shows for the same supernet: other targets, and files of other
// profiles for a policy that is unchanged, as far as they still exist. The widest budget comes first.
func merged(old, now document, workspace string) document {
	if old.Result == nil || old.Result.Fingerprint != now.Result.Fingerprint || len(old.Searches) != len(old.Result.Results) {
		return now
	}
	result := *now.Result
	result.Results = slices.Clone(result.Results)
	now.Result, now.Searches = &result, slices.Clone(now.Searches)
	for i, was := range old.Result.Results {
		was.Files = present(was.Files, workspace)
		k := slices.IndexFunc(result.Results, func(t record.TargetResult) bool { return t.Target == was.Target })
		switch {
		case k < 0 && len(was.Files) > 0:
			result.Results, now.Searches = append(result.Results, was), append(now.Searches, old.Searches[i])
		case k >= 0 && slices.Equal(was.Policy, result.Results[k].Policy) && alike(was.Polish, result.Results[k].Polish):
			result.Results[k].Files = replaced(was.Files, result.Results[k].Files)
			result.Results[k].Metric = was.Metric // the headline is the first profile's
		}
	}
	order := make([]int, len(result.Results))
	for i := range order {
		order[i] = i
	}
	all, searches := slices.Clone(result.Results), slices.Clone(now.Searches)
	slices.SortStableFunc(order, func(a, b int) int { return sign(all[b].BitOPs - all[a].BitOPs) })
	for to, from := range order {
		result.Results[to], now.Searches[to] = all[from], searches[from]
	}
	return now
}

// alike reports whether two results of one policy have the same weights.
func alike(a, b *record.Polish) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Fingerprint == b.Fingerprint
}

// sign is -1, 0 or 1.
func sign(n int64) int { return int(min(max(n, -1), 1)) }

// present lists the files that still exist in a workspace, with their present paths.
func present(files []record.File, workspace string) []record.File {
	var out []record.File
	for _, f := range files {
		f.Path = filepath.Join(workspace, "out", base(f.Path))
		if _, err := os.Stat(f.Path); err == nil {
			out = append(out, f)
		}
	}
	return out
}

// replaced replaces files by newer ones of the same name, and appends the others.
func replaced(files, newer []record.File) []record.File {
	for _, f := range newer {
		if at := slices.IndexFunc(files, func(g record.File) bool { return base(g.Path) == base(f.Path) }); at >= 0 {
			files[at] = f
		} else {
			files = append(files, f)
		}
	}
	return files
}

// indented formats a value as readable JSON.
func indented(v any) (string, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return string(b), err
}
