package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mpqc/mpqc/internal/engine/loss"
)

func randoms(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * 2)
	}
	return x
}

func TestGradients(t *testing.T) {
	const n, classes = 3, 5
	r := rand.New(rand.NewPCG(1, 2))
	teacher, labels := randoms(r, n*classes), []int32{4, 0, 2}
	tests := []struct {
		name string
		f    func(x, grad []float32) (float64, error)
	}{
		{"cross-entropy", func(x, g []float32) (float64, error) { return loss.CrossEntropy(x, labels, classes, 0, 1, g) }},
		{"smoothed", func(x, g []float32) (float64, error) { return loss.CrossEntropy(x, labels, classes, 0.1, 1, g) }},
		{"kl", func(x, g []float32) (float64, error) { return loss.KL(teacher, x, classes, 1, g) }},
		{"relative", func(x, g []float32) (float64, error) { return loss.Relative(teacher, x, n, classes, 1, g) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := randoms(r, n*classes)
			g := make([]float32, len(x))
			if _, err := tt.f(x, g); err != nil {
				t.Fatal(err)
			}
			const h = 1e-2
			for i := range x {
				keep := x[i]
				x[i] = keep + h
				up, _ := tt.f(x, nil)
				hi := float64(x[i])
				x[i] = keep - h
				down, _ := tt.f(x, nil)
				want := (up - down) / (hi - float64(x[i]))
				x[i] = keep
				if math.Abs(want-float64(g[i])) > 1e-4 {
					t.Errorf("gradient %d is %g, central difference %g", i, g[i], want)
				}
			}
		})
	}
}

func TestKnownValues(t *testing.T) {
	// torch.nn.functional.cross_entropy([[1,2,3]], [0]) = 2.4076059; with label_smoothing 0.1: 2.3076059.
	x := []float32{1, 2, 3}
	got, err := loss.CrossEntropy(x, []int32{0}, 3, 0, 1, nil)
	if err != nil || math.Abs(got-2.40760596) > 1e-6 {
		t.Errorf("cross-entropy = %v, %v", got, err)
	}
	got, err = loss.CrossEntropy(x, []int32{0}, 3, 0.1, 1, nil)
	if err != nil || math.Abs(got-2.30760596) > 1e-6 {
		t.Errorf("smoothed cross-entropy = %v, %v", got, err)
	}
	if got, err = loss.KL(x, x, 3, 1, nil); err != nil || got != 0 {
		t.Errorf("KL of equal logits = %v, %v", got, err)
	}
}

// TestRelative: the mean of the target costs 1, whatever the magnitude of each channel, and constants are measured by
// their size.
func TestRelative(t *testing.T) {
	const n, channels, inner = 4, 2, 3
	r := rand.New(rand.NewPCG(3, 4))
	target, mean := make([]float32, n*channels*inner), make([]float32, n*channels*inner)
	for c, scale := range []float64{1e-2, 1e-3} {
		sum := 0.0
		for i := range n {
			for k := range inner {
				v := scale * (r.NormFloat64() + 100)
				target[(i*channels+c)*inner+k] = float32(v)
				sum += v / (n * inner)
			}
		}
		for i := range n {
			for k := range inner {
				mean[(i*channels+c)*inner+k] = float32(sum)
			}
		}
	}
	if got, err := loss.Relative(target, mean, n, channels, 1, nil); err != nil || math.Abs(got-1) > 1e-3 {
		t.Errorf("the mean costs %v, %v", got, err)
	}
	for _, c := range []struct {
		name   string
		target []float32
		want   []float64
	}{
		{"a constant", []float32{3, 3}, []float64{9}},
		{"zeros", []float32{0, 0}, []float64{1}},
		{"a constant channel beside another", []float32{5, 1, 5, 3}, []float64{5e-4, 1}},
	} {
		got, err := loss.Spread(c.target, 2, len(c.want))
		if err != nil || len(got) != len(c.want) {
			t.Fatalf("%s: %v, %v", c.name, got, err)
		}
		for i, want := range c.want {
			if math.Abs(got[i]-want) > 1e-9 {
				t.Errorf("%s: spread %v, want %v", c.name, got, c.want)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	x := make([]float32, 6)
	if _, err := loss.CrossEntropy(x, []int32{0, 3}, 3, 0, 1, nil); err == nil {
		t.Error("a label outside the classes was accepted")
	}
	if _, err := loss.CrossEntropy(x, []int32{0}, 3, 0, 1, nil); err == nil {
		t.Error("too few labels were accepted")
	}
	if _, err := loss.KL(x[:3], x, 3, 1, nil); err == nil {
		t.Error("logits of different sizes were accepted")
	}
	if _, err := loss.Relative(x, x, 2, 3, 1, x[:2]); err == nil {
		t.Error("a short gradient was accepted")
	}
	if _, err := loss.Relative(x, x, 4, 1, 1, nil); err == nil {
		t.Error("a batch that does not divide the elements was accepted")
	}
}
