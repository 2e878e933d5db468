package quantize_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
)

// What a network costs at given bits, and the widest uniform policy within a budget.
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
	plan, err := quantize.NewPlan(m, quantize.PlanOptions{WeightBits: []int{2, 4, 8}, ActivationBits: []int{4, 8}, Streams: true})
	if err != nil {
		log.Fatal(err)
	}
	if plan, err = plan.Pin(plan.Layers[1].Node, 8, 8); err != nil {
		log.Fatal(err)
	}
	target, err := quantize.ParseTarget("5.0bit")
	if err != nil {
		log.Fatal(err)
	}
	policy, err := quantize.BudgetUniform(plan, target)
	if err != nil {
		log.Fatal(err)
	}
	w, a := plan.AverageBits(policy)
	fmt.Printf("%d layers, %d MACs per sample\n", len(plan.Layers), plan.MACs())
	fmt.Printf("weights %.2f bit, activations %.2f bit, %d BitOPs, %d bytes\n", w, a, plan.BitOPs(policy), plan.PackedBytes(policy, plan.FloatRest))

	if target, err = quantize.ParseTarget("1KB"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("1KB is infeasible:", errors.Is(target.Validate(plan), quantize.ErrInfeasible))
	// Output:
	// 9 layers, 4770336 MACs per sample
	// weights 4.71 bit, activations 5.33 bit, 118345728 BitOPs, 40024 bytes
	// 1KB is infeasible: true
}
