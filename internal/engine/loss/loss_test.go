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
		{"mse", func(x, g []float32) (float64, error) { return loss.MSE(teacher, x, 1, g) }},
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
	if _, err := loss.MSE(x, x, 1, x[:2]); err == nil {
		t.Error("a short gradient was accepted")
	}
}
