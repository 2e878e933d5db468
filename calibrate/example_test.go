package calibrate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
)

// The float model runs over 64 samples; each tensor's range and its best step size at 4 bits follow.
func Example() {
	file, data, err := models.Example()
	if err != nil {
		log.Fatal(err)
	}
	m, err := onnx.Parse(file, "")
	if err != nil {
		log.Fatal(err)
	}
	preprocessing, _, err := models.ModelPreprocessing(m)
	if err != nil {
		log.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		log.Fatal(err)
	}
	plan, err := quantize.NewPlan(m, quantize.PlanOptions{Streams: true})
	if err != nil {
		log.Fatal(err)
	}
	set, err := dataset.OpenFS(data, "the example", dataset.Options{Preprocessing: preprocessing, Shape: onnx.Shape{1, 28, 28}, Split: dataset.Train})
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()

	pool := calibrate.NewPool(0)
	defer pool.Close()
	st, err := calibrate.Collect(context.Background(), m, plan, samples(set, 64), calibrate.Options{Batch: 16, Pool: pool})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range plan.Points[:3] {
		h := st.Points[p.Tensor]
		fmt.Printf("%s: largest %.1f, negative %v, step at 4 bits %.2f\n", p.Tensor, h.Max, h.Negative, h.Step(4, p.Signed))
	}
	// Output:
	// input: largest 2.0, negative true, step at 4 bits 0.27
	// stem.relu: largest 35.1, negative false, step at 4 bits 2.34
	// depthwise.relu6: largest 6.0, negative false, step at 4 bits 0.37
}

// samples yields the first n of a set in batches of 16, [16,1,28,28].
func samples(set *dataset.Set, n int) calibrate.Source {
	first := make([]int, n)
	for i := range first {
		first[i] = i
	}
	return func(ctx context.Context, yield func(x []float32, n int) error) error {
		l := set.NewLoader(ctx, dataset.LoaderOptions{Batch: 16, Indices: first})
		defer l.Close()
		for {
			b, err := l.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := yield(b.X, len(b.Indices)); err != nil {
				return err
			}
		}
	}
}
