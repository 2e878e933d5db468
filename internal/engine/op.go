package engine

import (
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Op is an operator with its attributes bound. An Op belongs to exactly one node and may hold state that the
// training loop switches between runs (the selected bit-width, the selected BatchNorm).
type Op interface {
	// Type is the ONNX operator type, or mpqc's own name for an operator that ONNX lacks ("FakeQuant").
	Type() string
	// Infer gives the output shapes for concrete input shapes (batch resolved), or an error that says what is wrong.
	// Constant inputs are visible through n.Inputs.
	Infer(n *Node, in []tensor.Shape) ([]tensor.Shape, error)
	// Forward computes t.Out from t.In. Every element of t.Out is written.
	Forward(t *Task)
}

// Differentiable is an Op with a vector-Jacobian product.
type Differentiable interface {
	Op
	// Retain says which forward tensors Backward reads, so that the planner keeps them and frees the others.
	Retain() Retain
	// Backward writes (not adds) t.GradIn[i] from t.GradOut wherever t.GradIn[i].Data is not nil, and adds the
	// gradients of the operator's own parameters to Param.Grad. A parameter that enters as an input has its
	// GradIn written into a buffer that the executor adds to Param.Grad.
	Backward(t *Task)
}

// Retain lists the forward tensors a backward needs: input indices, output indices.
type Retain struct{ In, Out []int }

// Saver is implemented by operators that hand data from Forward to Backward in a buffer of their own
// (masks, argmax indices, batch statistics).
type Saver interface {
	// SavedBytes is the size of Task.Saved for these shapes.
	SavedBytes(in, out []tensor.Shape) int
}

// Scratcher is implemented by operators that need working memory within one Forward or one Backward.
type Scratcher interface {
	// ScratchFloats is the length of Task.Scratch for these shapes; the larger of forward and backward.
	ScratchFloats(in, out []tensor.Shape, threads int) int
}

// Viewer is implemented by operators whose output 0 has the very elements of input 0 (Reshape, Flatten, Identity).
// The planner gives both the same buffer, forward and backward, and calls Forward/Backward all the same.
type Viewer interface{ View() bool }

// ParamOwner is implemented by operators that own parameters which do not enter as graph inputs.
type ParamOwner interface{ Params() []*Param }

// Buf is a tensor at run time: row-major elements and concrete shape. Data is nil for an absent input and for a
// gradient that nobody needs.
type Buf struct {
	Data  []float32
	Shape tensor.Shape
}

// Task is the work of an operator in one run. All slices belong to the execution plan and must not be kept.
type Task struct {
	Node            *Node
	In, Out         []Buf
	GradIn, GradOut []Buf
	Saved           []byte    // 64-byte aligned, kept from Forward to Backward
	Scratch         []float32 // 64-byte aligned, contents undefined
	Training        bool      // batch statistics instead of running ones
	Pool            *par.Pool

	job func(t *Task, i int) // of the Parallel call in progress
	run func(i int)          // calls job; made once so that a step allocates nothing

	jobWorker func(t *Task, worker, i int) // of ParallelWorker, likewise
	runWorker func(worker, i int)
}
