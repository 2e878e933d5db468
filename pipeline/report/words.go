package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// judgment is a verdict in words.
type judgment struct {
	Class string // good, bad or ""
	Head  string
	Text  string
}

// newJudgment says whether the search was worth it or, without a verdict, why there is none.
func newJudgment(s found, t record.TargetResult) judgment {
	v := s.Verdict
	if v == nil {
		if s.Loss == 0 {
			return judgment{}
		}
		if len(s.Steps) == 0 {
			return judgment{"", "Stated, not searched.", fmt.Sprintf(
				"On the samples of the search this policy's distance to the widest policy is %s, that of the uniform baseline %s.",
				number(s.Loss), number(s.UniformLoss))}
		}
		return judgment{"", "The uniform baseline.", "The search found nothing better within the budget than the uniform policy with layers raised in network order."}
	}
	whose := "training samples that the search did not see"
	if v.Searched {
		whose = "training samples, those of the search, since no others are left"
	}
	if v.Held {
		whose = "samples that neither training nor search saw"
	}
	facts := fmt.Sprintf("Distance to the widest policy on %s %s: found %s, uniform %s; gain %s, 95 %% interval %s to %s.",
		count(v.Samples), whose, number(v.Loss), number(v.UniformLoss), number(v.Gain), number(v.Interval[0]), number(v.Interval[1]))
	if s.Random != nil {
		facts += fmt.Sprintf(" On the samples of the search: found %s, best of %d random policies of the same budget %s.",
			number(s.Loss), s.Random.Policies, number(s.Random.Loss))
	}
	if g := t.Uniform.Gain; g != nil {
		facts += fmt.Sprintf(" On the test samples: %+.2f points of top-1, 95 %% interval %+.2f to %+.2f.", 100*g.Top1, 100*g.Interval[0], 100*g.Interval[1])
	}
	switch {
	case v.Interval[0] > 0:
		return judgment{"good", "Better than the uniform baseline.", facts}
	case v.Gain < 0:
		return judgment{"bad", "The uniform baseline was better and was exported.", facts}
	default:
		return judgment{"", "No gain that these samples can tell from chance: the uniform baseline was exported.", facts}
	}
}

// polished says what fine-tuning the policy gained. It is empty without fine-tuning.
func polished(t record.TargetResult) judgment {
	p := t.Polish
	if p == nil {
		return judgment{}
	}
	j := judgment{Head: fmt.Sprintf("Polished for %g epochs.", p.Epochs)}
	if p.Epochs == 1 {
		j.Head = "Polished for an epoch."
	}
	j.Text = fmt.Sprintf("The policy was trained alone, from the supernet. Agreement with the float model %.2f %% before, %.2f %% after.",
		100*p.Before.Agreement, 100*t.Metric.Agreement)
	if p.Before.Top1 != nil && t.Metric.Top1 != nil {
		j.Text += fmt.Sprintf(" Top-1 %.2f %% before, %.2f %% after", 100**p.Before.Top1, 100**t.Metric.Top1)
		if g := p.Gain; g != nil {
			j.Text += fmt.Sprintf(": %+.2f points, 95 %% interval %+.2f to %+.2f", 100*g.Top1, 100*g.Interval[0], 100*g.Interval[1])
			if g.Interval[0] > 0 {
				j.Class = "good"
			}
		}
		j.Text += "."
	}
	if t.Metric.Loss > p.Before.Loss {
		j.Class = "bad"
		j.Text += fmt.Sprintf(" The loss rose from %s to %s: a lower --lr may do better, and --polish 0 gives the policy back as it was.", number(p.Before.Loss), number(t.Metric.Loss))
	}
	return j
}

// stageRow is a row of the list of stages.
type stageRow struct {
	Name     string
	Seconds  string
	Finished string
	Note     string
}

// stages lists the stages of a workspace in the order in which they ended.
func stages(m workspace.Manifest) []stageRow {
	names := make([]string, 0, len(m.Stages))
	for n := range m.Stages {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(m.Stages[a].Finished.Compare(m.Stages[b].Finished), cmp.Compare(a, b))
	})
	var out []stageRow
	for _, n := range names {
		s := m.Stages[n]
		if !s.Done {
			continue
		}
		row := stageRow{Name: n, Note: s.Note}
		if s.Seconds > 0 {
			row.Seconds = fmt.Sprintf("%.1f s", s.Seconds)
		}
		if !s.Finished.IsZero() {
			row.Finished = s.Finished.Format(time.DateTime)
		}
		out = append(out, row)
	}
	return out
}

// floatLayers lists the layers that could be quantized but are not.
func floatLayers(in Artifacts) []record.ImportLayer {
	var out []record.ImportLayer
	for _, l := range in.Layers {
		if l.FloatReason != "" {
			out = append(out, l)
		}
	}
	return out
}
