package quantize

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		text   string
		limits []Limit
		hold   int
		drop   float64
	}{
		{"4.0bit", []Limit{{LimitBit, 4}}, 0, 0},
		{" 3.5bit ", []Limit{{LimitBit, 3.5}}, 0, 0},
		{"4bits", []Limit{{LimitBit, 4}}, 0, 0},
		{"w4.0a8", []Limit{{LimitWeightBits, 4}}, 8, 0},
		{"w3.5a4.5", []Limit{{LimitWeightBits, 3.5}, {LimitActivationBits, 4.5}}, 0, 0},
		{"33.9GBitOPs", []Limit{{LimitBitOPs, 33.9}}, 0, 0},
		{"1500MBitOPs", []Limit{{LimitBitOPs, 1.5}}, 0, 0},
		{"6MB", []Limit{{LimitBytes, 6}}, 0, 0},
		{"150kB", []Limit{{LimitBytes, 0.15}}, 0, 0},
		{"4.0bit,2MB", []Limit{{LimitBit, 4}, {LimitBytes, 2}}, 0, 0},
		{"max-drop=1.0", nil, 0, 1},
		{"6MB, max-drop=0.5", []Limit{{LimitBytes, 6}}, 0, 0.5},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := ParseTarget(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Limits, tt.limits) || got.FixedActivations != tt.hold || got.MaxDrop != tt.drop || got.HasMaxDrop != (tt.drop > 0) {
				t.Errorf("got %+v", got)
			}
		})
	}
	for _, bad := range []string{"", "4", "4.0 bit", "0bit", "-1bit", "w4", "a8", "4bit,", "4bit,3bit", "1e3MB", "max-drop", "NaNbit", "6MiB", "max-drop=1,max-drop=2"} {
		if _, err := ParseTarget(bad); err == nil || !strings.Contains(err.Error(), "33.9GBitOPs") {
			t.Errorf("ParseTarget(%q): error %v does not show the grammar", bad, err)
		}
	}
}

func parse(t *testing.T, text string) Target {
	t.Helper()
	target, err := ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func TestTargetRange(t *testing.T) {
	p := tiny()
	tests := []struct {
		text   string
		lo, hi float64
		ok     bool
	}{
		{"8bit", 2.0235, 8, true},
		{"2.0bit", 2.0235, 8, false}, // the depthwise layer has no 2 bit
		{"8.1bit", 2.0235, 8, false},
		{"w2.25a8", 2.25, 8, true},
		{"w2.2a8", 2.25, 8, false},
		{"w4a2", 2.25, 8, true},
		{"w4a1.9", 2.25, 8, false},
		{"0.00001198GBitOPs", 0.00001198, 0.00007488, true},
		{"0.000011GBitOPs", 0.00001198, 0.00007488, false},
		{"4bit,1GB", 2.0235, 8, true}, // one loose limit is no error
		{"max-drop=1", 0.00001198, 0.00007488, true},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			target := parse(t, tt.text)
			lo, hi := target.Feasible(p)
			if d := lo/tt.lo - 1; d > 1e-4 || d < -1e-4 || hi < tt.hi*(1-1e-9) || hi > tt.hi*(1+1e-9) {
				t.Errorf("range %g to %g, want %g to %g", lo, hi, tt.lo, tt.hi)
			}
			err := target.Validate(p)
			if (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrInfeasible)) {
				t.Errorf("Validate: %v", err)
			}
		})
	}
}

func TestCheckHoldsActivations(t *testing.T) {
	p, target := tiny(), parse(t, "w4.0a8")
	if target.Check(p, p.Uniform(4)) {
		t.Error("w4.0a8 accepts activations of 4 bits")
	}
	if !target.Check(p, target.Hold(p, p.Uniform(4))) || target.Check(p, p.Max()) {
		t.Error("w4.0a8 refuses 4/8 or accepts 8/8")
	}
}

func TestBudgetUniform(t *testing.T) {
	p := tiny()
	tests := []struct {
		text string
		w, a []int
	}{
		{"4bit", []int{8, 4, 4, 8}, []int{8, 4, 4, 8, 8}},
		{"8bit", []int{8, 8, 8, 8}, []int{8, 8, 8, 8, 8}},
		// 3x3 costs 9*1050; the budget 3.5*3.5*1050 = 12862 takes 4x3 on a (12000), 4x4 on b (800) and no more.
		{"3.5bit", []int{8, 4, 4, 8}, []int{8, 3, 4, 8, 8}},
		{"w3.5a8", []int{8, 3, 4, 8}, []int{8, 8, 8, 8, 8}},
		{"4bit,0.0002MB", []int{8, 2, 4, 8}, []int{8, 8, 4, 8, 8}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			target := parse(t, tt.text)
			q, err := BudgetUniform(p, target)
			if err != nil {
				t.Fatal(err)
			}
			if !target.Check(p, q) {
				t.Error("does not fit")
			}
			if !slices.Equal(q.W, tt.w) || !slices.Equal(q.A, tt.a) {
				t.Errorf("got %v", q)
			}
		})
	}
	if _, err := BudgetUniform(p, parse(t, "1.5bit")); !errors.Is(err, ErrInfeasible) {
		t.Errorf("error %v", err)
	}
}
