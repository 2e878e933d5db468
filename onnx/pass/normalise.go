package pass

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
)

// InferShapes records the shapes of all values.
type InferShapes struct{ always }

// Name names the pass.
func (InferShapes) Name() string { return "shapes" }

// Apply infers. It reports no modification: shapes follow from the graph, so they are no reason for another round.
func (InferShapes) Apply(m *onnx.Model) (bool, error) { return false, shape.Infer(m.Graph) }

// Normalisation is the sequence that import runs to a fixpoint. It leaves only operators the network itself needs:
// constants are initializers, the batch is open where it can be, no node computes shapes, products of matrices and
// norms of groups are written by the operators that the engine has, means over the plane are poolings, padding is
// explicit, every gamma behind a layer is positive, dead channels are zero and every layer owns its parameters.
// BatchNormalization stays where it is.
func Normalisation() Sequence {
	work := &budget{}
	return Sequence{
		InferShapes{},
		WidenHalf{},
		UpgradeOpset{work: work},
		FoldConstants{work: work},
		SpreadPads{},
		DropEmpty{},
		EinsumToMatMul{},
		Unbind{}, // before the batch is looked for, which they bring to the front
		FreeBatch{},
		FoldBatch{work: work},
		DropIdentity{},
		SinkLayout{},
		ScaleToNorm{},
		GroupNorms{},
		MeanToPool{},
		ResolvePads{},
		MergePads{},
		KeepPads{},
		FloorPools{},
		// What HardSwish is made of is no factor of the next layer; what a product adds is seen once it stands behind.
		NameHardSwish{},
		PlainProduct{},
		PlainGemm{},
		SinkSwap{},
		FuseBias{},
		FoldAffine{},
		Prune{},
		Unshare{},
		ClearDead{},
		PositiveGamma{},
	}
}

// Normalise brings a model into the form that the other packages work on, with shapes of all values.
func Normalise(m *onnx.Model) error {
	_, err := NormaliseReport(m)
	return err
}

// NormaliseContext is Normalise that ends with a context, between two passes.
func NormaliseContext(ctx context.Context, m *onnx.Model) error {
	_, err := normalise(ctx, m)
	return err
}

// NormaliseReport is Normalise with a report of what each pass did.
func NormaliseReport(m *onnx.Model) ([]Report, error) { return normalise(context.Background(), m) }

func normalise(ctx context.Context, m *onnx.Model) ([]Report, error) {
	// Before anything else looks at nodes: what stands in functions is as unknown as the rest.
	inlined, err := Sequence{InlineFunctions{}}.Run(m)
	if err != nil {
		return inlined, fmt.Errorf("normalise: %w", err)
	}
	if err := m.Graph.Sort(); err != nil {
		return nil, fmt.Errorf("normalise: %w", err)
	}
	if err := checkArity(m.Graph); err != nil {
		return nil, fmt.Errorf("normalise: %w", err)
	}
	reports, err := Normalisation().fixpoint(ctx, m)
	reports = append(inlined, reports...)
	if err != nil {
		return reports, fmt.Errorf("normalise: %w", err)
	}
	if err := shape.Infer(m.Graph); err != nil {
		return reports, fmt.Errorf("normalise: %w", err)
	}
	return reports, m.Validate()
}
