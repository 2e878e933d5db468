package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// outcome is the part of search/TARGET.json that the table shows.
type outcome struct {
	Score       struct{ Loss float64 }
	Evaluations int
	Random      struct{ Loss float64 }
	Verdict     *struct {
		Loss        float64
		UniformLoss float64 `json:"uniform_loss"`
		Gain        float64
		Interval    [2]float64
	}
}

// supernet is the training that the search sections work on.
const supernet = accuracyRun + "--workspace resnet20-epoch.mpqc --epochs 1"

// budgets are the targets that tables of several budgets show.
const budgets = " --target 4.0bit --target 3.5bit --target 3.0bit --target 2.5bit --target 2.2bit"

// searchRows trains unless the folder holds that workspace already, then searches in a copy that knows no scores.
func searchRows(ctx context.Context, r *runner) ([]string, error) {
	if _, err := r.run(ctx, supernet+" --target 8.0bit", new(compressed)); err != nil {
		return nil, err
	}
	const workspace = "resnet20-searched.mpqc"
	if err := r.unsearched("resnet20-epoch.mpqc", workspace); err != nil {
		return nil, err
	}
	command := "mpqc search --workspace " + workspace + " --random 50" + budgets
	var c compressed
	if _, err := r.run(ctx, command, &c); err != nil {
		return nil, err
	}
	if err := r.picture(filepath.Join(workspace, "front.svg")); err != nil {
		return nil, err
	}
	var rows []string
	for _, t := range c.Results {
		var o outcome
		data, err := os.ReadFile(filepath.Join(r.dir, workspace, "search", t.Target+".json"))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &o); err != nil {
			return nil, fmt.Errorf("%s: %w", t.Target, err)
		}
		rows = append(rows, fmt.Sprintf("| %s | %.4f | %s | %s | %.2f %% | %.2f %% | %d | `%s` |", t.Target, o.Score.Loss, orNone(o.Random.Loss),
			o.verdict(), 100*t.Metric.Top1, 100*t.Uniform.Top1, o.Evaluations, command))
	}
	return rows, nil
}

// picture keeps the chart of a workspace where RESULTS.md shows it.
func (r *runner) picture(name string) error {
	svg, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.repo, "internal", "results", filepath.Base(name)), svg, 0o644)
}

// costRows time the search of one target and of five in copies of a workspace that know no scores, then one more.
func costRows(ctx context.Context, r *runner) ([]string, error) {
	var rows []string
	for _, m := range []struct{ model, workspace, train string }{
		{"resnet20-cifar10", "resnet20-epoch.mpqc", supernet},
		{"resnet18-cifar10-64", "resnet18.mpqc", "mpqc compress $S/models/resnet18-cifar10-64.onnx --data $S/data/cifar10-jpeg.zip --workspace resnet18.mpqc --epochs 0"},
		{"mobilenetv2-cifar10-64", "mobilenetv2.mpqc", "mpqc compress $S/models/mobilenetv2-cifar10-64.onnx --data $S/data/cifar10-jpeg.zip --workspace mobilenetv2.mpqc --epochs 0"},
	} {
		if _, err := r.run(ctx, m.train+" --target 8.0bit", new(compressed)); err != nil {
			return nil, err
		}
		for _, s := range []struct{ copy, targets string }{
			{"one-" + m.workspace, " --target 3.0bit"}, {"five-" + m.workspace, budgets}, {"one-" + m.workspace, " --target 2.8bit"},
		} {
			if s.targets != " --target 2.8bit" {
				if err := r.unsearched(m.workspace, s.copy); err != nil {
					return nil, err
				}
			}
			command := "mpqc compress --workspace " + s.copy + s.targets // states seconds, as search does not
			var c compressed
			took, err := r.run(ctx, command, &c)
			if err != nil {
				return nil, err
			}
			rows = append(rows, fmt.Sprintf("| %s | %d | %.1f | %.1f | %.0f | `%s` |", m.model, len(c.Results), c.Seconds["search"], c.Seconds["verify"], took.Seconds(), command))
		}
	}
	return rows, nil
}

// unsearched copies a workspace without what searches left in it. The float model's outputs on the test pictures stay.
func (r *runner) unsearched(from, to string) error {
	dir := filepath.Join(r.dir, to)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(r.dir, from))); err != nil {
		return err
	}
	for _, name := range []string{"search", "out", "scores/sensitivity.json", "report.json"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// verdict are four columns; a result that is the baseline has none.
func (o *outcome) verdict() string {
	v := o.Verdict
	if v == nil {
		return "the baseline | | "
	}
	return fmt.Sprintf("%.4f | %.4f | %.4f (%.4f to %.4f)", v.Loss, v.UniformLoss, v.Gain, v.Interval[0], v.Interval[1])
}

func orNone(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.4g", v)
}
