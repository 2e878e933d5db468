//go:build linux && cgo

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/report"
)

// The whole job on the embedded example, without training: calibrate, search, export, verify, report. A path in
// Options.Model and one in Options.Data take a network and samples of one's own.
func Example() {
	dir, err := os.MkdirTemp("", "mpqc")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var none float64
	var o pipeline.Options
	o.Workspace, o.Targets, o.Epochs = filepath.Join(dir, "example.mpqc"), []string{"5.0bit"}, &none
	o.WeightBits, o.ActivationBits = []int{4, 5, 8}, []int{4, 5, 8}
	o.CalibrateSamples, o.SearchSamples, o.NormSamples = 64, 64, 64
	o.Events = func(e event.Event) {
		if e.Kind == event.Done {
			fmt.Println("done:", e.Stage)
		}
	}
	result, err := pipeline.Run(context.Background(), o)
	var mismatch *pipeline.MismatchError
	switch {
	case errors.Is(err, pipeline.ErrUsage), errors.Is(err, pipeline.ErrInfeasible), errors.Is(err, pipeline.ErrNoRuntime):
		log.Fatal("ask differently: ", err)
	case errors.As(err, &mismatch):
		log.Fatal("file differs from the simulation: ", mismatch.Path)
	case err != nil:
		log.Fatal(err)
	}
	if err := report.Write(result); err != nil {
		log.Fatal(err)
	}
	r := result.Results[0]
	fmt.Printf("%s: a policy for %d layers, file of profile %s, verified: %v\n", r.Target, len(r.Policy), r.Files[0].Profile, r.Files[0].Verified)
	// Output:
	// done: import
	// done: data
	// done: calibrate
	// done: train
	// done: round
	// done: eval
	// done: search
	// done: export
	// done: verify
	// done: eval
	// 5.0bit: a policy for 9 layers, file of profile ort, verified: true
}
