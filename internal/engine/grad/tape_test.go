package grad_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/engine/grad"
)

// classes gives every value its own class.
func classes(n int) []int {
	c := make([]int, n)
	for i := range c {
		c[i] = i
	}
	return c
}

func params(n int, list ...int) []bool {
	p := make([]bool, n)
	for _, i := range list {
		p[i] = true
	}
	return p
}

func TestPlan(t *testing.T) {
	node := func(in, out []int) grad.Node { return grad.Node{In: in, Out: out, Differentiable: true} }
	tests := []struct {
		name  string
		graph grad.Graph
		want  []grad.Step
	}{
		{
			// x0 -(w1)-> v2 -> v3; v4 reaches nothing
			"useless input and dead branch",
			grad.Graph{
				Class: classes(5), Param: params(5, 1), Outputs: []int{3},
				Nodes: []grad.Node{node([]int{0, 1}, []int{2}), node([]int{2}, []int{4}), node([]int{2}, []int{3})},
			},
			[]grad.Step{
				{Node: 2, In: []grad.Action{grad.Write}, Out: []bool{true}},
				{Node: 0, In: []grad.Action{grad.Skip, grad.Accumulate}, Out: []bool{true}},
			},
		},
		{
			// before the first parameter nothing runs backward; v1 feeds two nodes
			"residual",
			grad.Graph{
				Class: classes(5), Param: params(5), Outputs: []int{4},
				Nodes: []grad.Node{
					node([]int{0}, []int{1}),
					{In: []int{1}, Out: []int{2}, Owns: true, Differentiable: true},
					node([]int{2, -1}, []int{3}),
					node([]int{2, 3}, []int{4}),
				},
			},
			[]grad.Step{
				{Node: 3, In: []grad.Action{grad.Write, grad.Write}, Out: []bool{true}},
				{Node: 2, In: []grad.Action{grad.Accumulate, grad.Skip}, Out: []bool{true}},
				{Node: 1, In: []grad.Action{grad.Skip}, Out: []bool{true}},
			},
		},
		{
			// v2 is a view of v1, read by a node; v1 is read by another
			"view",
			grad.Graph{
				Class: []int{0, 1, 1, 3, 4, 5}, Param: params(6, 0), Outputs: []int{5},
				Nodes: []grad.Node{
					node([]int{0}, []int{1}),
					{In: []int{1}, Out: []int{2}, View: true, Differentiable: true},
					node([]int{2}, []int{3}),
					node([]int{1}, []int{4}),
					node([]int{3, 4}, []int{5}),
				},
			},
			[]grad.Step{
				{Node: 4, In: []grad.Action{grad.Write, grad.Write}, Out: []bool{true}},
				{Node: 3, In: []grad.Action{grad.Write}, Out: []bool{true}},
				{Node: 2, In: []grad.Action{grad.Accumulate}, Out: []bool{true}},
				{Node: 1, In: []grad.Action{grad.Share}, Out: []bool{true}},
				{Node: 0, In: []grad.Action{grad.Accumulate}, Out: []bool{true}},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tape, err := grad.Plan(tt.graph)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, tape.Steps); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
		})
	}
}

func TestNoGradient(t *testing.T) {
	_, err := grad.Plan(grad.Graph{
		Class: classes(2), Param: params(2, 0), Outputs: []int{1},
		Nodes: []grad.Node{{Name: "stuck", In: []int{0}, Out: []int{1}}},
	})
	if err == nil || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("error %v does not name the node", err)
	}
}
