package decode_test

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit"
)

// TestForwardAgreement runs every pretrained model, normalised, in the engine and, as it is on disk, in onnxruntime.
func TestForwardAgreement(t *testing.T) {
	const batch, tolerance = 2, 1e-4
	models := []string{
		"resnet20-cifar10", "resnet20-cifar10-bn", "resnet18-cifar10-64", "mobilenetv2-cifar10-64", "efficientnet-lite0-imagenet",
	}
	for _, name := range models {
		t.Run(name, func(t *testing.T) {
			path := testkit.Shared(t, "models/"+name+".onnx")
			x, got := engineLogits(t, path, batch)
			want := runtimeLogits(t, path, x)
			if len(got) != len(want) {
				t.Fatalf("engine gives %d logits, onnxruntime %d", len(got), len(want))
			}
			worst, scale := 0.0, 0.0
			for i := range got {
				worst = max(worst, math.Abs(float64(got[i]-want[i])))
				scale = max(scale, math.Abs(float64(want[i])))
			}
			t.Logf("agreement: %s %.2g", name, worst)
			if scale == 0 || worst > tolerance*max(scale, 1) || math.IsNaN(worst) {
				t.Errorf("logits differ by %g, largest logit %g", worst, scale)
			}
		})
	}
}

// engineLogits returns a random normal input and what the engine makes of it.
func engineLogits(t *testing.T, path string, batch int) (engine.Buf, []float32) {
	t.Helper()
	_, g := decoded(t, path)
	pool := par.New(0)
	t.Cleanup(pool.Close)
	e, err := engine.Compile(g, engine.Options{Batch: batch, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	x, r := e.Input(0), rand.New(rand.NewPCG(1, 2))
	for i := range x.Data {
		x.Data[i] = float32(r.NormFloat64())
	}
	if err := e.Forward(context.Background()); err != nil {
		t.Fatal(err)
	}
	return x, e.Output(0).Data
}

func runtimeLogits(t *testing.T, path string, x engine.Buf) []float32 {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(file, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if ins := s.Inputs(); len(ins) != 1 || !strings.Contains(ins[0].Name, "input") {
		t.Fatalf("model has inputs %v", ins)
	}
	y, _, err := s.RunFloat(context.Background(), x.Data, x.Shape)
	if err != nil {
		t.Fatal(err)
	}
	return y
}
