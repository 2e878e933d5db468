package pass

import (
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/onnx"
)

// required are the operators of ONNX's own domain by the number of inputs that none of their versions can do without.
// Operators whose inputs are all of one kind, and none optional, stand under all.
var required = map[int]string{
	1: "Abs ArgMax AveragePool Cast Ceil Clip ConstantOfShape DepthToSpace Dropout Elu Erf Exp Flatten Floor Gelu GlobalAveragePool GlobalMaxPool " +
		"HardSigmoid HardSwish Identity LeakyRelu Log LogSoftmax LpNormalization MaxPool Mish Neg Not Pad Reciprocal ReduceMax ReduceMean " +
		"ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round Selu Shape Sigmoid Sign Slice Softmax Softplus Softsign " +
		"SpaceToDepth Split Sqrt Squeeze Tanh TopK Transpose Unsqueeze Upsample",
	2: "Add And Conv ConvTranspose DequantizeLinear Div Equal Expand Gather GatherElements Gemm Greater Less LayerNormalization MatMul " +
		"Mod Mul Or PRelu Pow QuantizeLinear Sub Tile Xor",
	3:   "GroupNormalization InstanceNormalization Range Where",
	5:   "BatchNormalization",
	all: "Concat Einsum Max Mean Min Sum",
}

const all = -1

// checkArity wants the inputs that operators cannot do without, and an output of every node, so that passes need not look
// for them one by one.
func checkArity(g *onnx.Graph) error {
	least := map[string]int{}
	for n, ops := range required {
		for _, op := range strings.Fields(ops) {
			least[op] = n
		}
	}
	for _, n := range g.Nodes() {
		want, known := least[n.Op()]
		if !known || n.Domain() != "" {
			continue
		}
		if want == all {
			want = max(len(n.Inputs()), 1)
		}
		for i := range want {
			if n.Input(i) == nil {
				return fmt.Errorf("%s lacks input %d", n, i)
			}
		}
		if n.Output(0) == nil {
			return fmt.Errorf("%s lacks its output", n)
		}
	}
	return nil
}
