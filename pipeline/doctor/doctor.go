// Package doctor examines a model before any work: what compress would do, what would fail, and what to do about it. It
// only reads, and tries out the stages by a trial.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network/partition"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/quantize"
)

// Result is what `doctor --json` prints: what compress would do to a model, and what would fail.
type Result struct {
	Model    string               `json:"model"`
	Profile  string               `json:"profile"`
	Opset    int64                `json:"opset"`
	Producer string               `json:"producer"`
	Inputs   []Tensor             `json:"inputs"`
	Outputs  []Tensor             `json:"outputs"`
	Layers   []record.ImportLayer `json:"layers"`
	Groups   []record.Group       `json:"groups"`
	Problems []Finding            `json:"problems"`

	Shared   []SharedWeight `json:"shared_weights"`
	External []ExternalFile `json:"external_data"`
	Uniform  []record.Level `json:"uniform"`
	Cost     *TrainingCost  `json:"cost"` // null if the model cannot be trained, or is too large to try
	Next     string         `json:"next"` // the command to run
}

// Tensor is an input or output of the graph; open dimensions are -1.
type Tensor struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
}

// Finding is a problem, and whether compress stops at it. A problem of many nodes is one finding.
type Finding struct {
	record.Problem
	Nodes []string `json:"nodes"` // all nodes, Problem.Node first; empty if it concerns the model
	Stops bool     `json:"stops"`
}

// SharedWeight is an initializer that several layers read. Import gives each layer a copy, which then train separately.
type SharedWeight struct {
	Weight string   `json:"weight"`
	Layers []string `json:"layers"`
}

// ExternalFile is a file with external data of the model.
type ExternalFile struct {
	Path    string `json:"path"`
	Tensors int    `json:"tensors"`
	Bytes   int64  `json:"bytes"`
}

// Stops reports whether compress would stop at one of the problems.
func (r *Result) Stops() bool {
	return slices.ContainsFunc(r.Problems, func(f Finding) bool { return f.Stops })
}

// doctor is the state of one examination. Its methods run in the order of examine.
type doctor struct {
	o      pipeline.Options // with defaults, and with what a workspace of the model holds
	stated pipeline.Options
	fits   int // samples per step that fit into memory, if the default does not; else 0
	result *Result
	read   *onnx.Model          // as the file has it
	model  *onnx.Model          // normalised, without tail
	parts  *partition.Partition // nil if the model cannot be partitioned
	plan   *quantize.Plan
	trial  *trial // of the plan
	pool   *par.Pool
}

// Examine examines the model of the options for the first of their profiles. It goes through all that compress does, up
// to a few training steps on noise, and writes nothing. It collects all problems instead of stopping at the first.
//
// An error means that the examination itself failed. A model that cannot be compressed is a result.
func Examine(ctx context.Context, o pipeline.Options) (*Result, error) {
	stated := o
	o = o.WithDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := file.Check(o.Model, false); err != nil {
		return nil, fmt.Errorf("%w: read model %s: %w", pipeline.ErrUsage, o.Model, err)
	}
	if _, err := os.Stat(o.Model); err != nil {
		return nil, fmt.Errorf("%w: read model: %w", pipeline.ErrUsage, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &doctor{o: o, stated: stated, pool: par.New(o.Threads), result: &Result{
		Model: o.Model, Profile: o.Profiles[0], Inputs: []Tensor{}, Outputs: []Tensor{}, Layers: []record.ImportLayer{},
		Groups: []record.Group{}, Problems: []Finding{}, Shared: []SharedWeight{}, External: []ExternalFile{}, Uniform: []record.Level{},
	}}
	// Everything below is the doctor's own, so that it may be left behind, in the runtime as a rule, when ctx ends.
	return par.Await(ctx, func() (*Result, error) {
		defer d.pool.Close()
		d.kept()
		if err := d.examine(ctx); err != nil {
			return nil, err
		}
		d.result.Next = next(d)
		return d.result, nil
	})
}

// examine runs the steps as long as there is something to examine.
func (d *doctor) examine(ctx context.Context) error {
	rep := d.o.Events.Start(event.StageImport, "", "examining "+d.o.Model)
	m, err := onnx.Load(d.o.Model)
	if err != nil {
		d.stop("", err.Error(), "repair or export the file again; nothing else can be said about it")
		return nil
	}
	d.read = m
	d.document()
	if d.quantized(m) {
		return nil
	}
	if d.result.Stops() {
		d.model = m.Clone()
		d.operators() // the graph may still be whole enough to name what else is in the way
		return nil
	}
	d.model = m.Clone()
	if err := pass.NormaliseContext(ctx, d.model); err != nil {
		d.stop("", err.Error(), "export the model again, with constant shapes and opset 13 to 21")
		d.operators()
		return nil
	}
	if d.quantized(d.model) { // in functions, which are written out by now
		return nil
	}
	if !d.divide() {
		if partition.CheckOperators(d.model) == nil { // the layers can be shown
			d.layers()
		}
		return nil
	}
	for _, check := range []func(*onnx.Model) error{partition.CheckBatch, partition.CheckCrossing} {
		if err := check(d.model); err != nil {
			d.stop("", err.Error(), "rebuild the operator that is named so that samples stay apart, or export with an open batch")
			break
		}
	}
	d.layers()
	d.runtime()
	layers := 0
	if d.plan != nil {
		layers = len(d.plan.Layers)
	}
	rep.Done(fmt.Sprintf("%d layers", layers))
	if d.plan == nil || d.result.Stops() {
		return nil
	}
	activations(d)
	n, err := d.samples(ctx)
	if err != nil {
		return err
	}
	return d.train(ctx, n)
}

// try returns a trial of what is known so far.
func (d *doctor) try() *trial {
	return newTrial(d.o, d.model, d.parts, d.pool)
}

// layers makes the plan and lists its layers.
func (d *doctor) layers() {
	d.trial = d.try()
	plan, r, err := d.trial.plan()
	switch {
	case err != nil && d.result.Stops(): // most likely a consequence of what was found before
		return
	case err != nil:
		d.stop("", err.Error(), "export the model with standard operators, constant weights and a fixed input size")
		return
	}
	d.plan, d.result.Layers, d.result.Groups, d.result.Uniform = plan, r.Layers, r.Groups, r.Uniform
	for _, p := range r.Problems {
		d.note(p.Node, p.Reason, p.Fix)
	}
}

// add records a finding.
func (d *doctor) add(node, reason, fix string, stops bool) {
	for i := range d.result.Problems {
		f := &d.result.Problems[i]
		if f.Reason == reason && f.Fix == fix && f.Stops == stops {
			if node != "" && !slices.Contains(f.Nodes, node) {
				f.Nodes = append(f.Nodes, node)
			}
			return
		}
	}
	f := Finding{Problem: record.Problem{Node: node, Reason: reason, Fix: fix}, Nodes: []string{}, Stops: stops}
	if node != "" {
		f.Nodes = append(f.Nodes, node)
	}
	d.result.Problems = append(d.result.Problems, f)
}

// stop records a finding at which compress stops.
func (d *doctor) stop(node, reason, fix string) { d.add(node, reason, fix, true) }

// note records a finding at which compress goes on.
func (d *doctor) note(node, reason, fix string) { d.add(node, reason, fix, false) }

// parts splits a joined error.
func parts(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
