package job

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/record"
)

// outcome is what search/TARGET.json says beside the policy.
type outcome struct {
	Score       struct{ Loss float64 } `json:"score"`
	Evaluations int                    `json:"evaluations"`
	Random      *record.AtRandom       `json:"random"`
	Verdict     *record.Verdict        `json:"verdict"`
}

// TestSearchTargets searches several targets on one survey, beside random policies, at one thread and at two.
func TestSearchTargets(t *testing.T) {
	program.Example(t)
	policies := map[string][][]byte{}
	for _, threads := range []string{"1", "2"} {
		if err := os.RemoveAll(filepath.Join("example.mpqc", "search")); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join("example.mpqc", "scores")); err != nil {
			t.Fatal(err)
		}
		r, stderr := program.Answer[pipeline.Result](t, "search", "--target", "5bit", "--target", "3.6bit", "--random", "12", "--threads", threads)
		if len(r.Results) != 2 {
			t.Fatalf("%d results", len(r.Results))
		}
		if n := strings.Count(stderr, "best of 12 random policies"); n != 2 {
			t.Errorf("%d comparisons with random policies: %s", n, stderr)
		}
		for _, target := range []string{"5bit", "3.6bit"} {
			o := program.Decode[outcome](t, sample.Read(t, filepath.Join("example.mpqc", "search", target+".json")))
			if o.Random == nil || o.Random.Policies != 12 || o.Score.Loss > o.Random.Loss {
				t.Errorf("%s: found %g, random %+v", target, o.Score.Loss, o.Random)
			}
			// The survey is shared: a target by itself costs a handful of evaluations.
			if o.Evaluations > 20 {
				t.Errorf("%s: %d evaluations", target, o.Evaluations)
			}
			policies[target] = append(policies[target], sample.Read(t, filepath.Join("example.mpqc", "search", target+".policy")))
		}
	}
	for target, p := range policies {
		if !bytes.Equal(p[0], p[1]) {
			t.Errorf("%s: another policy at two threads than at one", target)
		}
	}
}

// TestSearchSeed searches on other samples, and again on the first ones: scores are those of the samples.
func TestSearchSeed(t *testing.T) {
	program.Example(t)
	program.Succeed(t, "compress", "--target", "3.6bit", "--search-samples", "64") // fewer than there are
	var losses []float64
	for _, seed := range []string{"1", "2", "1"} {
		program.Succeed(t, "search", "--target", "3.6bit", "--search-seed", seed)
		losses = append(losses, program.Decode[outcome](t, sample.Read(t, filepath.Join("example.mpqc", "search", "3.6bit.json"))).Score.Loss)
	}
	if losses[0] == losses[1] || losses[0] != losses[2] {
		t.Errorf("search losses %v with the samples of seeds 1, 2 and 1", losses)
	}
}

// TestMaxDrop finds the least BitOPs within a drop: fewer for a larger one, none for what is out of reach.
func TestMaxDrop(t *testing.T) {
	program.Example(t)
	least := map[string]int64{}
	for _, target := range []string{"max-drop=1", "max-drop=12"} {
		r, stderr := program.Result(t, "search", "--target", target)
		if !strings.Contains(stderr, target+" is kept down to ") {
			t.Errorf("%s: %s", target, stderr)
		}
		x := r.Results[0]
		if x.Target != target || !x.Files[0].Verified {
			t.Errorf("%s: %+v", target, x)
		}
		least[target] = x.BitOPs
	}
	if least["max-drop=1"] <= least["max-drop=12"] {
		t.Errorf("BitOPs within 1 and 12 points: %d and %d", least["max-drop=2"], least["max-drop=12"])
	}
	code, _, stderr := program.Call(t, "search", "--target", "max-drop=1,0.2bit")
	if code != exit.Infeasible {
		t.Errorf("an infeasible budget beside a drop: exit code %d: %s", code, stderr)
	}
	code, _, stderr = program.Call(t, "search", "--target", "max-drop=0.01,3bit")
	if code != exit.Infeasible || !strings.Contains(stderr, "loses") {
		t.Errorf("a drop that the budget does not allow: exit code %d: %s", code, stderr)
	}
}

func TestBenchSearch(t *testing.T) {
	program.Example(t)
	r, _ := program.Answer[pipeline.SearchRate](t, "bench", "search", "--evaluations", "6")
	if r.Evaluations != 6 || r.ImagesPerS <= 0 || r.MSPerEvaluation <= 0 || r.RuntimeShare <= 0 || r.RuntimeShare >= 1 {
		t.Errorf("%+v", r)
	}
	// Policies of one budget, scored twice.
	r, _ = program.Answer[pipeline.SearchRate](t, "bench", "search", "--evaluations", "8", "--target", "3.6bit")
	if r.Reliability == nil || r.Reliability.Top1 == nil {
		t.Fatalf("%+v", r)
	}
	if l := r.Reliability.Loss; l < 0.5 || l > 1 { // a hundred samples tell random policies of the example apart
		t.Errorf("the loss on two halves correlates at %g", l)
	}
	if code, _, stderr := program.Call(t, "bench", "search", "--target", "max-drop=1"); code != exit.Usage {
		t.Errorf("a target without a budget: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := program.Call(t, "bench", "search", "--batch", "3"); code != exit.Usage || !strings.Contains(stderr, "no --batch") {
		t.Errorf("a flag of another measurement: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := program.Call(t, "bench", "search", "--workspace", "nothing.mpqc"); code != exit.Usage || !strings.Contains(stderr, "no trained supernet") {
		t.Errorf("without a workspace: exit code %d: %s", code, stderr)
	}
}
