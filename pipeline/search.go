package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/pipeline/search"
	"github.com/mpqc/mpqc/quantize"
)

// ErrInfeasible is wrapped by the error of a target that no policy can meet; the error names the feasible range.
var ErrInfeasible = quantize.ErrInfeasible

// found is search/TARGET.json: the outcome of one search.
type found struct {
	Target string `json:"target"`
	Plan   string `json:"plan"` // fingerprint of what the policy is a policy of
	*search.Result
	Verdict *Verdict `json:"verdict,omitempty"`
}

// find is the search stage for one target. A policy that was found for the same supernet and options is taken as it is.
func (j *job) find(ctx context.Context, target quantize.Target, plan *quantize.Plan) (*search.Result, error) {
	stamp, err := fingerprint(j.supernetPrint(), target.Text, j.stated.Pins, j.stated.Caps, j.o.SearchSamples, j.data.stamp, j.o.Profiles[0], searchVersion)
	if err != nil {
		return nil, err
	}
	name := "search/" + fileName(target.Text) + ".json"
	stage := Stage("search " + target.Text)
	if j.w.finished(stage, stamp, name) {
		var old found
		if err := j.w.ReadJSON(name, &old); err == nil && old.Result != nil && j.plan.Validate(old.Policy) == nil {
			return old.Result, nil
		}
	}
	lo, hi := target.Feasible(plan)
	rep := j.o.Events.start(StageSearch, target.Text, fmt.Sprintf("feasible %.4g to %.4g %s", lo, hi, unitOf(target)))
	ev, err := j.evaluator(ctx)
	if err != nil {
		return nil, err
	}
	res, err := search.Run(ctx, search.Options{
		Plan: plan, Target: target,
		Progress: func(p quantize.Policy, evaluations int) {
			rep.progress(int64(evaluations), 0, progressText(plan, target, p))
		},
	}, ev)
	if err != nil {
		return nil, err
	}
	verdict, err := j.judge(ctx, res)
	if err != nil {
		return nil, err
	}
	if err := j.w.WriteJSON(name, found{target.Text, stamp, res, verdict}); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("the uniform baseline, %d evaluations", res.Evaluations)
	if verdict != nil {
		text = fmt.Sprintf("loss %.4f, uniform baseline %.4f on pictures not searched on, %d evaluations", verdict.Loss, verdict.UniformLoss, res.Evaluations)
	}
	seconds := rep.done(text)
	j.seconds.Search += seconds
	return res, j.w.end(stage, stamp, seconds, text)
}

// searchVersion rises when the search would find other policies with the same options.
const searchVersion = 3

// evaluator scores policies in onnxruntime on a fixed set of training pictures.
type evaluator struct {
	job    *job
	plan   *quantize.Plan
	x      []float32
	labels []int32
	float  []float32 // logits of the float model
	n      int
	lanes  int
}

// lanes is how many sessions run side by side, each on one thread.
func lanes(threads int) int {
	if threads > 0 {
		return threads
	}
	return runtime.GOMAXPROCS(0)
}

func (j *job) evaluator(ctx context.Context) (*evaluator, error) {
	if j.scorer != nil {
		return j.scorer, nil
	}
	e, err := j.scoring(ctx, j.o.SearchSamples, "search")
	if err != nil {
		return nil, err
	}
	j.scorer = e
	return e, nil
}

// scoring reads training pictures drawn for a purpose, and what the float model makes of them.
func (j *job) scoring(ctx context.Context, pictures int, purpose string) (*evaluator, error) {
	indices := j.data.some(pictures, purpose, *j.o.Seed)
	e := &evaluator{job: j, plan: j.plan, n: len(indices), lanes: lanes(j.o.Threads)}
	err := j.data.each(ctx, j.data.train, indices, scoreBatch, func(b batchOf) error {
		e.x = append(e.x, b.x...)
		e.labels = append(e.labels, b.labels...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	model, err := j.float.Marshal()
	if err != nil {
		return nil, err
	}
	if e.float, err = e.logits(ctx, model); err != nil {
		return nil, fmt.Errorf("run the float model: %w", err)
	}
	return e, nil
}

// scoreBatch is the batch of a scoring run: large enough to amortise a call, small enough to stay in cache.
const scoreBatch = 32

// Evaluate implements search.Evaluator. Policies are handed to lanes one by one; each score depends on its policy
// alone, so the result does not depend on the number of lanes.
func (e *evaluator) Evaluate(ctx context.Context, ps []quantize.Policy) ([]search.Score, error) {
	scores, errs := make([]search.Score, len(ps)), make([]error, len(ps))
	work := make(chan int)
	var wg sync.WaitGroup
	for range min(e.lanes, len(ps)) {
		wg.Go(func() {
			for i := range work {
				scores[i], errs[i] = e.score(ctx, ps[i])
			}
		})
	}
	for i := range ps {
		work <- i
	}
	close(work)
	wg.Wait()
	return scores, errors.Join(errs...)
}

// score runs a candidate: what is scored is what will be exported.
func (e *evaluator) score(ctx context.Context, p quantize.Policy) (search.Score, error) {
	if err := ctx.Err(); err != nil {
		return search.Score{}, err
	}
	logits, err := e.candidate(ctx, e.job.supernet, p)
	if err != nil {
		return search.Score{}, fmt.Errorf("run candidate: %w", err)
	}
	// The error is the distance to the float model, with labels too: on pictures that training has seen, cross-entropy
	// mostly rewards confidence, and it is noisier.
	t := tally{}
	t.add(logits, e.n, nil, e.float)
	s := search.Score{Loss: t.meanLoss()}
	if e.job.data.labels {
		t = tally{labels: true}
		t.add(logits, e.n, e.labels, nil)
		s.Top1 = *t.share(t.right)
	}
	return s, nil
}

// logits runs a model in a session of its own, on one thread, over all pictures of the evaluator.
func (e *evaluator) logits(ctx context.Context, model []byte) ([]float32, error) {
	s, err := ort.Open(model, ort.Options{Optimize: true, Provider: e.job.o.Provider})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	var out []float32
	elements := e.job.data.elements
	for first := 0; first < e.n; first += scoreBatch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(scoreBatch, e.n-first)
		y, _, err := s.RunFloat(ctx, e.x[first*elements:(first+n)*elements], e.job.data.batchShape(n))
		if err != nil {
			return nil, err
		}
		out = append(out, y...)
	}
	return out, nil
}

// restrict applies the pins and caps of this run.
func (j *job) restrict() (*quantize.Plan, error) {
	plan := j.plan
	for _, s := range j.stated.Caps {
		r, err := parseRule(s)
		if err != nil {
			return nil, fmt.Errorf("%w: cap %w", ErrUsage, err)
		}
		if plan, err = plan.Cap(r.pattern, r.w, r.a); err != nil {
			return nil, fmt.Errorf("%w: cap %s: %w", ErrUsage, s, err)
		}
	}
	for _, s := range j.stated.Pins {
		r, err := parseRule(s)
		if err != nil {
			return nil, fmt.Errorf("%w: pin %w", ErrUsage, err)
		}
		if plan, err = plan.Pin(r.pattern, r.w, r.a); err != nil {
			return nil, fmt.Errorf("%w: pin %s: %w", ErrUsage, s, err)
		}
	}
	return plan, nil
}

// progressText says how far each limit still is.
func progressText(plan *quantize.Plan, target quantize.Target, p quantize.Policy) string {
	var parts []string
	for _, l := range target.Limits {
		parts = append(parts, fmt.Sprintf("%.4g of %.4g %s", l.Cost(plan, p), l.Value, l.Unit()))
	}
	return strings.Join(parts, ", ")
}

func unitOf(t quantize.Target) string {
	if len(t.Limits) == 0 {
		return "GBitOPs"
	}
	return t.Limits[0].Unit()
}

// fileName makes a target part of a file name.
func fileName(target string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, r) {
			return '_'
		}
		return r
	}, target)
}
