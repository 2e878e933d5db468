package calibrate_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
)

// TestMemoryIsFlat: statistics take the memory of their histograms, however many samples they saw.
func TestMemoryIsFlat(t *testing.T) {
	file, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(file, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	plan, err := quantize.NewPlan(m, quantize.PlanOptions{Streams: true})
	if err != nil {
		t.Fatal(err)
	}
	pool := calibrate.NewPool(2)
	defer pool.Close()
	const batch, few, many = 8, 3, 30
	var early, late int64
	rng := rand.New(rand.NewPCG(1, 2))
	source := func(_ context.Context, yield func([]float32, int) error) error {
		for i := range many {
			x := make([]float32, batch*28*28)
			for k := range x {
				x[k] = float32(rng.NormFloat64()) * float32(1+i) // ranges widen as they do with real samples
			}
			if err := yield(x, batch); err != nil {
				return err
			}
			switch i {
			case few:
				early = inUse()
			case many - 1:
				late = inUse()
			}
		}
		return nil
	}
	st, err := calibrate.Collect(t.Context(), m, plan, source, calibrate.Options{Batch: batch, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	// A single byte per input value would be more than that.
	if grown, limit := late-early, int64(batch*(many-few-1)*28*28); st.Samples != batch*many || grown > limit {
		t.Errorf("%d samples more take %d bytes, the limit is %d", batch*(many-few-1), grown, limit)
	}
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
