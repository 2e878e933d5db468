// Package network is the import stage: it reads a model, normalises it, takes it apart into what is trained and what is
// left to the runtime, and plans its layers.
package network

import (
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network/partition"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/quantize"
)

// Network is an imported model.
type Network struct {
	Core *onnx.Model // the part that is planned and trained: all of it, or what stands in front of the tail
	// Partition is how the model was taken apart; nil: it is taken as a whole.
	Partition *partition.Partition
	// Blocked says why the network can be shown but not compressed; nil: it can be.
	Blocked *partition.BlockedError
	Plan    *quantize.Plan // of Core, before calibration
	Widths  options.WidthOptions
	Kinds   quantize.OutputKinds // that the user states; of features, where layers stand in the tail
	SHA256  string               // of the file that was imported
	Stamp   string

	planned bool // with other candidates than import.json lists
}

// New divides and plans a normalised model. One whose layers stand behind operators that the engine lacks is planned as
// a whole, for import to show, and nothing else can be done with it: see Blocked. whole takes the model undivided, as
// the supernets of older programs did. The checks look at the core. Errors name the model.
func New(m *onnx.Model, name string, o options.ModelOptions, w options.WidthOptions, whole bool, checks ...func(*onnx.Model) error) (*Network, error) {
	var d *partition.Partition
	var blocked *partition.BlockedError
	if !whole {
		var err error
		d, err = partition.Of(m, w.Exclude)
		switch {
		case errors.As(err, &blocked):
			d = nil
		case err != nil:
			return nil, err
		default:
			m = d.Core
		}
	}
	n := Apart(m, d, o, w)
	n.Blocked = blocked
	for _, check := range checks {
		if err := check(n.Core); err != nil {
			if n.Blocked != nil {
				return nil, n.Blocked // the reason why nothing behind it is known
			}
			return nil, err
		}
	}
	if err := n.MakePlan(); err != nil {
		return nil, fmt.Errorf("plan %s: %w", name, err)
	}
	return n, nil
}

// Apart is a network that has been taken apart, without a plan. A nil partition took it as a whole.
func Apart(core *onnx.Model, d *partition.Partition, o options.ModelOptions, w options.WidthOptions) *Network {
	return &Network{Core: core, Partition: d, Widths: w, Kinds: kinds(d, o)}
}

// MakePlan plans the layers of the core.
func (n *Network) MakePlan() (err error) {
	n.Plan, err = quantize.NewPlan(n.Core, n.PlanOptions())
	return err
}

// PlanOptions are those of plans of the core.
func (n *Network) PlanOptions() quantize.PlanOptions {
	return quantize.PlanOptions{
		WeightBits: n.Widths.WeightBits, ActivationBits: n.Widths.ActivationBits, Exclude: n.Partition.Excluded(n.Widths.Exclude),
		Streams: true, Int8: n.Widths.Int8, ZeroPoints: n.Widths.ZeroPoints, Outputs: n.Widths.ConvOutputs,
	}
}

// Outputs are those of the core, of which one may belong to labels of so many classes.
func (n *Network) Outputs(classes int) (metric.Outputs, error) {
	list, known := metric.OutputsOf(n.Core, n.Kinds)
	if !known {
		return nil, errors.New("the model has an output of unknown shape; simplify it first, for example with onnxsim")
	}
	list.Label(classes)
	return list, nil
}

// Document is the float model as the runtime takes it, without its tail.
func (n *Network) Document(e *stage.Env) (session.Document, error) {
	if n.Partition.Tail() != nil {
		return session.Encode(n.Core, e.Workspace.Path(stage.CoreFile))
	}
	return session.Encode(n.Core, e.Workspace.Path(stage.FloatFile))
}

// save writes the core where the runtime opens it by its path: it is too large for memory and not all of the model.
func (n *Network) save(e *stage.Env) error {
	if n.Partition.Tail() == nil || !n.Core.Large() {
		return nil
	}
	if e.Workspace.ReadOnly {
		return e.Refuse(errors.Join(e.Workspace.Verify(stage.CoreFile), e.Workspace.Verify(stage.CoreFile+onnx.DataSuffix)))
	}
	return e.SaveModel(stage.CoreFile, n.Core)
}

// Record writes down a plan with other candidates than those of the import before.
func (n *Network) Record(e *stage.Env) error {
	if !n.planned {
		return nil
	}
	if err := e.Workspace.WriteJSON(stage.ImportFile, n.Describe()); err != nil {
		return err
	}
	return e.Workspace.End(event.StageImport, n.Stamp, 0, "")
}

// Replanned reports whether the plan has other candidates than that of the import before.
func (n *Network) Replanned() bool { return n.planned }

// importVersion rises when import makes another model or plan of the same file.
const importVersion = 1

// Key is what decides the import of a file with a hash. Zero points change nothing that import writes, and quantizers
// on results of convolutions only do so in some models, which convOutputs says.
func Key(sum string, w options.WidthOptions, convOutputs bool) stage.Key {
	w.ZeroPoints, w.ConvOutputs = false, convOutputs
	return stage.Key{Version: importVersion, Options: []any{w}, Inputs: []any{sum}}
}
