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

// supernet is the training that the search sections work on, that of section accuracy.
const supernet = resnet20 + "--workspace resnet20.mpqc --epochs 15"

// budgets are the targets that tables of several budgets show.
const budgets = " --target 4.0bit --target 3.5bit --target 3.0bit --target 2.5bit --target 2.2bit"

// searched searches the supernet beside random policies.
func searched() unit {
	const workspace = "resnet20-searched.mpqc"
	return onSupernet(workspace, "mpqc search --workspace "+workspace+" --random 50"+budgets, func(r *runner, c *compressed, t *target) ([]string, error) {
		if t == &c.Results[0] { // one sample shows all
			if err := r.chart(filepath.Join(workspace, "front.svg")); err != nil {
				return nil, err
			}
		}
		o, err := r.outcome(workspace, t.Target)
		if err != nil {
			return nil, err
		}
		cells := append([]string{t.Target, fmt.Sprintf("%.4f", o.Score.Loss), orNone(o.Random.Loss)}, o.verdict()...)
		return append(cells, percent(t.Metric.Top1), percent(t.Uniform.Top1), t.Uniform.Gain.points(), fmt.Sprint(o.Evaluations)), nil
	})
}

// redrawn searches the supernet on other samples of the same training data.
func redrawn(seed int) unit {
	const workspace = "resnet20-redrawn.mpqc"
	command := fmt.Sprintf("mpqc search --workspace %s --search-seed %d%s", workspace, seed, budgets)
	return onSupernet(workspace, command, func(_ *runner, _ *compressed, t *target) ([]string, error) {
		return []string{fmt.Sprint(seed), t.Target, percent(t.Metric.Top1), percent(t.Uniform.Top1), t.Uniform.Gain.points()}, nil
	})
}

// onSupernet runs a command in a copy of the supernet that no search has seen, and makes a row of each target.
func onSupernet(workspace, command string, cells func(r *runner, c *compressed, t *target) ([]string, error)) unit {
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		c, err := r.afresh(ctx, workspace, command)
		if err != nil {
			return nil, err
		}
		var rows []row
		for i := range c.Results {
			list, err := cells(r, &c, &c.Results[i])
			if err != nil {
				return nil, err
			}
			rows = append(rows, r.row(command, list...))
		}
		return rows, nil
	}}
}

// afresh trains the supernet unless the folder holds it already, then searches in a copy that no search has seen.
func (r *runner) afresh(ctx context.Context, workspace, command string) (c compressed, err error) {
	if _, err := r.run(ctx, supernet+" --target 8.0bit", new(compressed)); err != nil {
		return c, err
	}
	if err := r.unsearched("resnet20.mpqc", workspace); err != nil {
		return c, err
	}
	_, err = r.run(ctx, command, &c)
	return c, err
}

// outcome reads what a search left about a target.
func (r *runner) outcome(workspace, target string) (o outcome, err error) {
	data, err := os.ReadFile(filepath.Join(r.dir, workspace, "search", target+".json"))
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return o, fmt.Errorf("%s: %w", target, err)
	}
	return o, nil
}

// sample keeps the chart of a workspace where RESULTS.md shows it.
func (r *runner) chart(name string) error {
	svg, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.repo, "internal", "tools", "results", filepath.Base(name)), svg, 0o644)
}

// costs time the search of one target and of five in copies of a workspace that know no scores, then one more.
func costs() []unit {
	const data = " --data $S/data/cifar10-jpeg.zip "
	return []unit{
		cost("resnet20-cifar10", "resnet20.mpqc", supernet),
		cost("resnet18-cifar10-64", "resnet18.mpqc", "mpqc compress $S/models/resnet18-cifar10-64.onnx"+data+"--workspace resnet18.mpqc --epochs 0"),
		cost("mobilenetv2-cifar10-64", "mobilenetv2.mpqc", "mpqc compress $S/models/mobilenetv2-cifar10-64.onnx"+data+"--workspace mobilenetv2.mpqc --epochs 0"),
	}
}

func cost(model, workspace, train string) unit {
	searches := []struct {
		copy, targets string
		anew          bool
	}{{"one-" + workspace, " --target 3.0bit", true}, {"five-" + workspace, budgets, true}, {"one-" + workspace, " --target 2.8bit", false}}
	var commands []string
	for _, s := range searches {
		commands = append(commands, "mpqc compress --workspace "+s.copy+s.targets) // states seconds, as search does not
	}
	return unit{commands: commands, measure: func(ctx context.Context, r *runner) ([]row, error) {
		if _, err := r.run(ctx, train+" --target 8.0bit", new(compressed)); err != nil {
			return nil, err
		}
		var rows []row
		for i, s := range searches {
			if s.anew {
				if err := r.unsearched(workspace, s.copy); err != nil {
					return nil, err
				}
			}
			var c compressed
			took, err := r.run(ctx, commands[i], &c)
			if err != nil {
				return nil, err
			}
			rows = append(rows, r.row(commands[i], model, fmt.Sprint(len(c.Results)), fmt.Sprintf("%.1f", c.Seconds["search"]),
				fmt.Sprintf("%.1f", c.Seconds["verify"]), fmt.Sprintf("%.0f", took.Seconds())))
		}
		return rows, nil
	}}
}

// unsearched copies a workspace without what searches left in it. Measurements on the test samples stay.
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

// verdict are three columns; a result that is the baseline has none.
func (o *outcome) verdict() []string {
	v := o.Verdict
	if v == nil {
		return []string{"the baseline", "", ""}
	}
	return []string{fmt.Sprintf("%.4f", v.Loss), fmt.Sprintf("%.4f", v.UniformLoss), fmt.Sprintf("%.4f (%.4f to %.4f)", v.Gain, v.Interval[0], v.Interval[1])}
}

func orNone(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.4g", v)
}
