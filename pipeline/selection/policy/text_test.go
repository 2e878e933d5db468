package policy

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/quantize"
)

// FuzzPolicyText wants the policy back that was written, whatever the names of nodes and target are.
func FuzzPolicyText(f *testing.F) {
	for _, names := range [][2]string{
		{"conv1", "layer1/conv"},
		{"a = 4/8", "b # c"},
		{" lead", "trail "},
		{"#", "line\nbreak = 2/2"},
		{"\"", "\\\""},
		{"[", "{"},
		{"\xff", "\r"},
		{"x = 4/8 #", "y"},
		{"=", "/"},
		{"\u2028", "\u00a0"},
		{"", "a"},
	} {
		f.Add(names[0], names[1], "4.0bit", uint8(2), uint8(3))
	}
	f.Add("a", "b", "policy-of\ntwo = 2/2 lines", uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, first, second, target string, w, a uint8) {
		if first == second {
			return
		}
		bits := quantize.DefaultBits()
		layer := func(name string, point int) quantize.Layer {
			return quantize.Layer{Node: name, Candidates: bits, Point: point, MACs: 10, Params: 10, OutChannels: 1}
		}
		plan := &quantize.Plan{
			Layers: []quantize.Layer{layer(first, 0), layer(second, 0), layer("last "+first, 1)},
			Points: []quantize.Point{
				{Tensor: "x", Candidates: bits, Layers: []int{0, 1}, Elements: 1}, {Tensor: "y", Candidates: bits, Layers: []int{2}, Elements: 1},
			},
		}
		if second == "last "+first {
			return
		}
		p := plan.Max()
		p.W[0], p.W[1] = bits[int(w)%len(bits)], bits[int(a)%len(bits)]
		p.A[0], p.A[1] = bits[int(w+a)%len(bits)], bits[int(w^a)%len(bits)]
		text := Text(target, plan, p)
		rows, err := rowsOf(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		back, err := policyOf(rows, plan)
		if err != nil || !p.Equal(back) {
			t.Fatalf("%v, %v\n%s", back, err, text)
		}
		for i := range rows {
			if rows[i].Node != plan.Layers[i].Node {
				t.Errorf("row %d is of %q", i, rows[i].Node)
			}
			line := strings.Split(string(text), "\n")[rows[i].line-1]
			if name, w, a, ok := Line(strings.TrimSpace(line)); !ok || name != rows[i].Node || w != *rows[i].W || a != *rows[i].A {
				t.Errorf("line %q as --pin: %q = %d/%d, %v", line, name, w, a, ok)
			}
		}
	})
}
