package quantize

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/op"
)

func foldNet(arrays map[string][]float32) *Supernet {
	s := &Supernet{Arrays: map[string]Array{}, EPS: map[string]float32{"c": 0}}
	for name, v := range arrays {
		s.Arrays[name] = Array{Shape: tensor.Shape{len(v)}, Data: v}
	}
	return s
}

func TestFold(t *testing.T) {
	norm := Layer{Node: "c", Op: "Conv", Kind: op.Conv, InputAxis: 1, Norm: "c/norm", Shape: tensor.Shape{2, 1, 1, 3}, OutChannels: 2}
	column := Layer{Node: "c", Op: "Gemm", Kind: op.Gemm, Bias: "b", Shape: tensor.Shape{3, 2}, OutChannels: 2, Axis: 1}
	matMul := Layer{Node: "c", Op: "MatMul", Kind: op.MatMul, Shape: tensor.Shape{3, 2}, OutChannels: 2, Axis: 1}
	weights := []float32{0.5, -1, 7, 0.25, -0.75, 0.1}
	tests := []struct {
		name   string
		layer  Layer
		w      int
		arrays map[string][]float32
		want   Folded
		err    string
	}{
		{
			name: "batch norm", layer: norm, w: 3,
			arrays: map[string][]float32{
				"weight.c": weights, "step.w.c.3": {1, 0.5},
				"bn.c.3_4.gamma": {2, 3}, "bn.c.3_4.beta": {1, -1}, "bn.c.3_4.mean": {0.5, 2}, "bn.c.3_4.var": {4, 9},
			},
			// Channel 0: factor 1, constant 0.5, at 0.1*1. Channel 1: factor 1, constant -3, at 0.1*0.5.
			want: Folded{Codes: []int8{0, -1, 3, 0, -2, 0}, Scale: []float32{1, 0.5}, Bias: []int32{5, -60}},
		},
		{
			name: "dead channel", layer: norm, w: 8,
			arrays: map[string][]float32{
				"weight.c": weights, "step.w.c.8": {1, 0.5},
				"bn.c.8_4.gamma": {0, 1e-20}, "bn.c.8_4.beta": {-3, 3}, "bn.c.8_4.mean": {1, 0}, "bn.c.8_4.var": {4, 1},
			},
			want: Folded{Codes: make([]int8, 6), Scale: []float32{1, 1}, Bias: []int32{-30, 30}},
		},
		{
			name: "columns and bias", layer: column, w: 8,
			arrays: map[string][]float32{"weight.c": weights, "step.w.c.8": {0.5, 0.05}, "bias.c": {1, 2}},
			want:   Folded{Codes: []int8{1, -20, 14, 5, -2, 2}, Scale: []float32{0.5, 0.05}, Bias: []int32{20, 400}},
		},
		{
			name: "no bias", layer: matMul, w: 2,
			arrays: map[string][]float32{"weight.c": weights, "step.w.c.2": {0.5, 0.5}, "bias.c": {0, 0}},
			want:   Folded{Codes: []int8{1, -2, 1, 0, -2, 0}, Scale: []float32{0.5, 0.5}},
		},
		{name: "missing steps", layer: matMul, w: 2, arrays: map[string][]float32{"weight.c": weights}, err: `fold layer "c": supernet has no array "step.w.c.2"`},
		{name: "short weights", layer: matMul, w: 2, arrays: map[string][]float32{"weight.c": weights[:5]}, err: "5 elements, not 6"},
		{name: "zero step", layer: matMul, w: 2, arrays: map[string][]float32{"weight.c": weights, "step.w.c.2": {0.5, 0}}, err: "weight step 0 of channel 1"},
		{
			name: "negative gamma", layer: norm, w: 8, err: "gamma -1 of channel 0 is negative",
			arrays: map[string][]float32{
				"weight.c": weights, "step.w.c.8": {1, 0.5},
				"bn.c.8_4.gamma": {-1, 1}, "bn.c.8_4.beta": {0, 3}, "bn.c.8_4.mean": {1, 0}, "bn.c.8_4.var": {4, 1},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Fold(tt.layer, foldNet(tt.arrays), tt.w, 4, 0.1)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Codes, tt.want.Codes) || !slices.Equal(got.Scale, tt.want.Scale) || !slices.Equal(got.Bias, tt.want.Bias) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestGrid(t *testing.T) {
	p := &Plan{Points: []Point{{Tensor: "u", Stream: true}, {Tensor: "s", Signed: true}, {Tensor: "r6", ClipMax: 6}}}
	s := foldNet(map[string][]float32{"step.s.u": {0.1}, "step.a.u.3": {0.5}, "step.a.s.4": {0.25}, "step.a.r6.4": {1}, "step.a.r6.8": {0.01}, "step.a.s.8": {0}})
	tests := []struct {
		name     string
		i, bits  int
		stream   bool
		want     Grid
		in       []float32
		codes    []uint8
		infinity uint8
	}{
		{"stream", 0, 3, true, Grid{0.1, 0, 0, 255}, []float32{-1, 0.05, 0.26, 99}, []uint8{0, 0, 3, 255}, 255},
		{"unsigned", 0, 3, false, Grid{0.5, 0, 0, 7}, []float32{-1, 0.75, 1.25, 99}, []uint8{0, 2, 2, 7}, 7},
		{"signed", 1, 4, false, Grid{0.25, 128, 120, 135}, []float32{-99, -0.125, -0.375, 1.7}, []uint8{120, 128, 126, 135}, 135},
		{"relu6 binds", 2, 4, false, Grid{1, 0, 0, 6}, []float32{6.4, 7}, []uint8{6, 6}, 6},
		{"relu6 does not", 2, 8, false, Grid{0.01, 0, 0, 255}, []float32{6, 2}, []uint8{255, 200}, 255},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := p.Grid(s, tt.i, tt.bits, tt.stream)
			if err != nil || g != tt.want {
				t.Fatalf("grid %v, %v, want %v", g, err, tt.want)
			}
			for i, x := range tt.in {
				if c := g.Quantize(x); c != tt.codes[i] {
					t.Errorf("code of %g is %d, want %d", x, c, tt.codes[i])
				}
			}
			if c := g.Quantize(float32(math.Inf(1))); c != tt.infinity {
				t.Errorf("code of infinity is %d", c)
			}
			for c := int(g.Lo); c <= int(g.Hi); c++ {
				if back := g.Quantize(g.Value(uint8(c))); back != uint8(c) {
					t.Errorf("code %d comes back as %d", c, back)
				}
			}
		})
	}
	if _, err := p.Grid(s, 1, 8, false); err == nil {
		t.Error("a step of zero is no error")
	}
	if _, err := p.Grid(s, 1, 5, false); err == nil {
		t.Error("a missing step is no error")
	}
}
