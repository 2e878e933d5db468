package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/delivery"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// What stops a call stops it here, before hours of work.

// checkTrained refuses a workspace that has no finished supernet.
func checkTrained(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, stage.SupernetFile)); err != nil {
		return fmt.Errorf("%w: workspace %s holds no trained supernet: run mpqc compress first", ErrUsage, dir)
	}
	w, err := workspace.Open(dir)
	if err == nil && !w.Manifest.Stages[string(event.StageTrain)].Done {
		return fmt.Errorf("%w: workspace %s is being trained anew: mpqc compress goes on with that", ErrUsage, dir)
	}
	return err
}

// checkMachine opens the runtime and looks for its provider, and notes which one it is.
func checkMachine(e *stage.Env, o Options) error {
	if err := checkRuntime(o.OnnxRuntime); err != nil {
		return err
	}
	if err := checkProvider(o.Provider); err != nil {
		return err
	}
	e.Workspace.Manifest.Runtime = "onnxruntime " + ort.Version()
	return nil
}

// checkRuntime opens the library: nothing may fail for want of it after an hour of training.
func checkRuntime(library string) error {
	if err := ort.SetLibrary(library); err != nil {
		return err
	}
	return ort.Available()
}

// checkProvider says at the start what the runtime cannot do.
func checkProvider(provider string) error {
	if provider == ort.ProviderCPU {
		return nil
	}
	have, err := ort.Providers()
	if err != nil {
		return err
	}
	if !slices.Contains(have, provider) {
		return fmt.Errorf("%w: provider %s is not available: the onnxruntime library %s offers %s; --onnxruntime names another one",
			ErrUsage, provider, ort.Library(), strings.Join(have, ", "))
	}
	return nil
}

// checkCall refuses options that the trained supernet cannot serve, and a call without any model.
func checkCall(e *stage.Env, c call) error {
	if e.Keep {
		if diff := changed(c.stated, c.kept); diff != "" {
			return fmt.Errorf("%w: the supernet in %s does not fit: %s; --retrain trains anew", ErrUsage, e.Workspace.Dir(), diff)
		}
	}
	if c.stated.Model == "" && !e.Workspace.Has(stage.FloatFile) {
		return fmt.Errorf("%w: workspace %s holds no imported model: name the MODEL.onnx to compress, or a new workspace for the example", ErrUsage, e.Workspace.Dir())
	}
	return nil
}

// changed is the first of the options that decide the supernet and were stated differently from those that it was
// trained with, "" if there is none.
func changed(stated, kept Options) string {
	if states := stated.Float || len(stated.WeightBits)+len(stated.ActivationBits) > 0; states && stated.Float != kept.Float {
		return map[bool]string{true: "it was trained in float", false: "it was trained with quantizers"}[kept.Float]
	}
	for _, f := range []struct {
		name         string
		stated, kept any
		given        bool
	}{
		{"bits of weights", stated.WeightBits, kept.WeightBits, len(stated.WeightBits) > 0},
		{"bits of activations", stated.ActivationBits, kept.ActivationBits, len(stated.ActivationBits) > 0},
		{"kinds of outputs", stated.OutputKinds, kept.OutputKinds, len(stated.OutputKinds) > 0},
		{"excluded nodes", stated.Exclude, kept.Exclude, len(stated.Exclude) > 0},
		{"profiles without unsigned 8-bit type", true, kept.Int8, slices.ContainsFunc(stated.Profiles, func(p string) bool { return export.Named(p).Int8 })},
		{"seed", value(stated.Seed), value(kept.Seed), stated.Seed != nil && kept.Seed != nil},
		{"samples for development", value(stated.Develop), value(kept.Develop), stated.Develop != nil && kept.Develop != nil},
		{"hold-out", value(stated.Holdout), value(kept.Holdout), stated.Holdout != nil && kept.Holdout != nil},
	} {
		if f.given && fmt.Sprint(f.stated) != fmt.Sprint(f.kept) {
			return fmt.Sprintf("%s (%v, trained with %v)", f.name, f.stated, f.kept)
		}
	}
	return ""
}

// value is what a pointer points to, nil for nil.
func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// longestName is how many bytes file systems take for the name of a file. Those of a search are a target and a word or
// two.
const (
	longestName   = 255
	longestTarget = longestName - 55
)

// checkNames refuses names of models and targets that make those of the exported files too long.
func checkNames(e *stage.Env, o Options) error {
	texts := o.Targets
	if len(texts) == 0 {
		texts = []string{DefaultTarget}
	}
	for _, t := range texts {
		for _, p := range o.Profiles {
			target := workspace.FileName(t)
			name := fmt.Sprintf("%s-%s.%s.packed.onnx%s", delivery.ModelName(e), target, p, onnx.DataSuffix)
			if len(name) > longestName || len(target) > longestTarget {
				return fmt.Errorf("%w: the file that target %s is exported to would be called %s, and file systems take names of %d bytes: "+
					"copy the model to a shorter name, or state a shorter target", ErrUsage, t, name, longestName)
			}
		}
	}
	return nil
}

// serves refuses profiles whose codes a supernet with a plan was not trained for.
func serves(e *stage.Env, plan *quantize.Plan, o Options) error {
	dir := e.Workspace.Dir()
	if i := plan.Asymmetric(); i >= 0 && !zeroPoints(o.Profiles) {
		k := slices.IndexFunc(o.Profiles, func(p string) bool { return !export.Named(p).ZeroPoints })
		return fmt.Errorf("%w: profile %s has no zero points of activations, and the supernet in %s was trained with one for tensor %q; "+
			"compress --profile ort,%[2]s --retrain trains one that serves both", ErrUsage, o.Profiles[k], dir, plan.Points[i].Tensor)
	}
	i := slices.IndexFunc(o.Profiles, func(p string) bool { return export.Named(p).Int8 })
	if i < 0 || o.Int8 {
		return nil
	}
	return fmt.Errorf("%w: profile %s has no unsigned 8-bit type, and the supernet in %s was trained with unsigned 8-bit tensors; "+
		"compress --profile ort,%[2]s --retrain trains one that serves both", ErrUsage, o.Profiles[i], dir)
}
