package export_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/quantize"
)

// A network is quantized without training, written for onnxruntime, and looked at again: its bits are read back, and
// the rules of the profile hold.
func Example() {
	file, _, err := models.Example()
	if err != nil {
		log.Fatal(err)
	}
	m, err := onnx.Parse(file, "")
	if err != nil {
		log.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		log.Fatal(err)
	}
	plan, supernet, err := calibrated(m)
	if err != nil {
		log.Fatal(err)
	}
	policy := plan.Uniform(4)
	supernet, limited, err := export.Named(export.ProfileORT).Supernet(plan, supernet, policy) // for x86 CPUs without VNNI
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("8-bit weights limited in", limited)
	quantized, err := export.Export(m, plan, supernet, policy, export.Options{Profile: export.ProfileORT})
	if err != nil {
		log.Fatal(err)
	}
	bytes, err := quantized.Marshal()
	if err != nil {
		log.Fatal(err)
	}
	if quantized, err = onnx.Parse(bytes, ""); err != nil {
		log.Fatal(err)
	}
	d, err := metadata.Describe(quantized)
	if err != nil {
		log.Fatal(err)
	}
	findings, err := lint.Check(quantized, export.Named(d.Profile).Conventions())
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range d.Layers[:3] {
		fmt.Printf("%s: weights %d bit, activations %d bit\n", l.Node, l.W, l.A)
	}
	fmt.Printf("profile %s, %d layers, %d findings\n", d.Profile, len(d.Layers), len(findings))
	// Output:
	// 8-bit weights limited in [stem logits]
	// stem: weights 8 bit, activations 8 bit
	// depthwise: weights 4 bit, activations 4 bit
	// pointwise: weights 4 bit, activations 4 bit
	// profile ort, 9 layers, 0 findings
}

// calibrated turns a normalised model into the starting point of training. Real samples belong here; see package
// models/dataset.
func calibrated(m *onnx.Model) (*quantize.Plan, *quantize.Supernet, error) {
	options := quantize.PlanOptions{Streams: true}
	plan, err := quantize.NewPlan(m, options)
	if err != nil {
		return nil, nil, err
	}
	ramp := func(_ context.Context, yield func(x []float32, n int) error) error {
		x := make([]float32, 8*1*28*28) // [8,1,28,28]
		for i := range x {
			x[i] = float32(i%255)/127 - 1
		}
		return yield(x, 8)
	}
	statistics, err := calibrate.Collect(context.Background(), m, plan, ramp, calibrate.Options{Batch: 8})
	if err != nil {
		return nil, nil, err
	}
	if err := calibrate.Norms(m, plan, statistics); err != nil {
		return nil, nil, err
	}
	if err := shape.Infer(m.Graph); err != nil {
		return nil, nil, err
	}
	if plan, err = quantize.NewPlan(m, options); err != nil {
		return nil, nil, err
	}
	supernet, err := calibrate.Supernet(m, plan, statistics, nil)
	return plan, supernet, err
}
