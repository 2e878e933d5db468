//go:build cgo

package scoring_test

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/testkit/stages"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// TestEvaluator: the widest policy has no distance to itself, a score depends on its policy alone, not on the order and
// the number of workers, and narrower policies lose more.
func TestEvaluator(t *testing.T) {
	o := stages.Options()
	e := stages.Env(t, o, nil)
	sup, s := stages.Supernet(t, e, o, func(*onnx.Model) {})
	p := sup.Plan
	policies := []quantize.Policy{p.Max(), p.Uniform(8), p.Uniform(4), p.Min()}
	var first []search.Score
	for _, threads := range []int{1, 3} {
		e.Machine.Threads = threads
		scorers := evaluation.NewScorers(e, sup, s, export.Named(export.ProfileORT), o.ScoreOptions)
		ev, err := scorers.Search(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if scorers.Workers() != threads || ev.N() != 32 {
			t.Errorf("%d workers, %d samples", scorers.Workers(), ev.N())
		}
		scores, err := ev.Evaluate(t.Context(), policies)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = scores
		}
		for i, at := range []int{3, 1, 0, 2} { // one by one, in another order
			one, err := ev.Evaluate(t.Context(), []quantize.Policy{policies[at]})
			if err != nil || one[0] != first[at] || scores[i] != first[i] {
				t.Errorf("threads %d: policy %d has %+v, then %+v; %v", threads, at, first[at], one, err)
			}
		}
		subset, err := ev.Subset(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		fewer, err := subset.Evaluate(t.Context(), policies)
		if err != nil || fewer[0].Loss != 0 || fewer[3].Loss <= fewer[2].Loss {
			t.Errorf("a subset of %d samples scores %+v, %v", subset.N(), fewer, err)
		}
		scorers.Close()
		if scorers.Workers() != 0 {
			t.Error("closed scorers hold workers")
		}
	}
	if first[0].Loss != 0 || first[1].Loss > first[2].Loss || first[2].Loss >= first[3].Loss {
		t.Errorf("losses from wide to narrow: %+v", first)
	}
}

// TestSubsetSize: single changes are scored on half of the samples, but not on few.
func TestSubsetSize(t *testing.T) {
	o := stages.Options()
	o.SearchSamples, o.WeightBits, o.ActivationBits = 300, []int{8}, []int{8}
	e := stages.Env(t, o, nil)
	sup, s := stages.Supernet(t, e, o, func(*onnx.Model) {})
	scorers := evaluation.NewScorers(e, sup, s, export.Named(export.ProfileORT), o.ScoreOptions)
	defer scorers.Close()
	ev, err := scorers.Search(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	subset, err := ev.Subset(t.Context())
	if err != nil || ev.N() <= 256 || subset.N() != 256 {
		t.Errorf("%d of %d samples, %v", subset.N(), ev.N(), err)
	}
}

// TestComparisons: the widest policy agrees with itself, and a distance of samples has the mean that is the loss.
func TestComparisons(t *testing.T) {
	o := stages.Options()
	e := stages.Env(t, o, nil)
	sup, s := stages.Supernet(t, e, o, func(*onnx.Model) {})
	scorers := evaluation.NewScorers(e, sup, s, export.Named(export.ProfileORT), o.ScoreOptions)
	defer scorers.Close()
	ev, err := scorers.HeldOut(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	low := sup.Plan.Min()
	scores, err := ev.Evaluate(t.Context(), []quantize.Policy{low})
	if err != nil {
		t.Fatal(err)
	}
	err = ev.Each(t.Context(), []quantize.Policy{low}, func(_ int, outputs []float32) {
		var sum float64
		for _, d := range ev.Distances(outputs) {
			sum += d / float64(ev.N())
		}
		if math.Abs(sum-scores[0].Loss) > 1e-9 || ev.Top1(outputs) != scores[0].Top1 {
			t.Errorf("mean distance %g, top-1 %g, scored %+v", sum, ev.Top1(outputs), scores[0])
		}
		if a := ev.Agreement(ev.Widest(), outputs); a >= 1 || ev.Agreement(outputs, outputs) != 1 {
			t.Errorf("the narrowest policy agrees with the widest on %g", a)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if held, searched := scorers.HeldOutKind(); held || searched {
		t.Errorf("of 200 samples held out %v, searched %v", held, searched)
	}
	if ev.Guess() <= scores[0].Loss/10 {
		t.Errorf("a guess loses %g, the narrowest policy %g", ev.Guess(), scores[0].Loss)
	}
	r, err := ev.Reliability(t.Context(), []quantize.Policy{low, sup.Plan.Uniform(4), sup.Plan.Max()})
	if err != nil || r.Loss < 0.5 || r.Loss > 1 {
		t.Errorf("scores of three widths on two halves correlate at %+v, %v", r, err)
	}
}
