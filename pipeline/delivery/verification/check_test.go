//go:build cgo

package verification_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/internal/testkit/stages"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/delivery/verification"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/quantize/integer"
)

// check compares on eight test samples.
func check(e *stage.Env, s *samples.Samples) verification.Check {
	each := func(ctx context.Context, most, batch int, f func(verification.Batch) error) error {
		return s.Each(ctx, s.Test, samples.All(min(most, 8)), batch, func(b samples.Batch) error {
			return f(verification.Batch{X: b.X, Shape: s.BatchShape(b.N), First: b.First})
		})
	}
	return verification.Check{Dir: e.Workspace.Dir(), Threads: 1, Provider: "cpu", Pool: e.Pool, Samples: each}
}

// TestCodes: a file that computes what the simulation does has no code that differs, end to end and from given codes.
// Other weights of one channel show in both.
func TestCodes(t *testing.T) {
	o := stages.Options()
	e := stages.Env(t, o, nil)
	sup, s := stages.Supernet(t, e, o, func(*onnx.Model) {})
	p, profile := sup.Plan.Uniform(4), export.Named(export.ProfileORT)
	arrays, _, err := profile.Supernet(sup.Plan, sup.Arrays, p)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := integer.BuildWithOps(sup.Model, profile.Plan(sup.Model, sup.Plan), arrays, p, decode.Function)
	if err != nil {
		t.Fatal(err)
	}
	file, err := export.Export(sup.Model, sup.Plan, arrays, p, export.Options{Profile: profile.Name})
	if err != nil {
		t.Fatal(err)
	}
	wrong := file.Clone()
	var weights *onnx.Value
	for _, v := range wrong.Graph.Initializers() {
		if c := v.Const(); c != nil && c.DType == tensor.Int8 && len(c.Shape) > 1 {
			weights = v
			break
		}
	}
	sample.Change(t, weights, func(x []int8) { // of a channel
		for i := range x[:len(x)/weights.Const().Shape[0]] {
			x[i] = -x[i]
		}
	})
	c := check(e, s)
	for _, tt := range []struct {
		name string
		run  func(context.Context, *onnx.Model, *integer.Network) (comparison.Comparison, error)
	}{{"Codes", c.Codes}, {"Given", c.Given}, {"Either", c.Either}} {
		same, err := tt.run(t.Context(), file, sim)
		if err != nil || same.Different > 0 || same.Compared == 0 || len(same.Missing) > 0 || same.Astray(comparison.OutputTolerance) != nil {
			t.Errorf("%s: %d of %d codes differ, %v; %v", tt.name, same.Different, same.Compared, same.Missing, err)
		}
		other, err := tt.run(t.Context(), wrong, sim)
		if err != nil || other.Different == 0 || other.Wrong(0) == nil {
			t.Errorf("%s: %d of %d codes of other weights differ; %v", tt.name, other.Different, other.Compared, err)
		}
	}
	if err := c.Ties(t.Context(), file, sim, &comparison.Comparison{}); err != nil {
		t.Errorf("no crowded tensor: %v", err)
	}
}

// TestUnmatched: tensors that one side alone has are named, and nothing is compared.
func TestUnmatched(t *testing.T) {
	o := stages.Options()
	e := stages.Env(t, o, nil)
	sup, s := stages.Supernet(t, e, o, func(*onnx.Model) {})
	p, profile := sup.Plan.Max(), export.Named(export.ProfileORT)
	sim, err := integer.BuildWithOps(sup.Model, profile.Plan(sup.Model, sup.Plan), sup.Arrays, p, decode.Function)
	if err != nil {
		t.Fatal(err)
	}
	file, err := export.Export(sup.Model, sup.Plan, sup.Arrays, p, export.Options{Profile: profile.Name})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{metadata.PolicyKey} {
		if text, ok := file.Metadata(key); ok {
			file.SetMetadata(key, strings.ReplaceAll(text, sup.Plan.Points[0].Tensor+`"`, `none"`))
		}
	}
	got, err := check(e, s).Codes(t.Context(), file, sim)
	if err != nil || got.Compared != 0 || !slices.Contains(got.Missing, "none") {
		t.Errorf("%d codes compared, missing %v, %v", got.Compared, got.Missing, err)
	}
}

// TestTail: what stands behind the core is the float model's, by its nodes and by what it computes.
func TestTail(t *testing.T) {
	o := stages.Options()
	e := stages.Env(t, o, nil)
	sup, s := stages.Supernet(t, e, o, func(m *onnx.Model) {
		sample.Follow(t, m, tensor.Int64,
			onnx.NodeSpec{Name: "softmax", Op: "Softmax", Outputs: []string{"probabilities"}},
			onnx.NodeSpec{Name: "argmax", Op: "ArgMax", Outputs: []string{"class"}, Attrs: []onnx.Attr{onnx.IntAttr("axis", 1)}})
	})
	parts := sup.Network.Partition
	file, err := export.Export(sup.Model, sup.Plan, sup.Arrays, sup.Plan.Max(), export.Options{Profile: export.ProfileORT, Tail: parts.Tail()})
	if err != nil {
		t.Fatal(err)
	}
	wrong := file.Clone()
	wrong.Graph.Node("argmax").SetAttr(onnx.IntAttr("axis", 0))
	for name, tt := range map[string]struct {
		file *onnx.Model
		odd  string
	}{"as the model has it": {file, ""}, "another axis": {wrong, "argmax"}} {
		odd, unrun, err := check(e, s).Tail(t.Context(), parts, tt.file)
		if err != nil || unrun != nil || (odd == "") != (tt.odd == "") || !strings.Contains(odd, tt.odd) {
			t.Errorf("%s: %q, %v, %v", name, odd, unrun, err)
		}
	}
}
