package op

import "strings"

// Domains of operators that are not ONNX's own.
const (
	Microsoft = "com.microsoft"           // onnxruntime's
	Blocked   = "com.microsoft.nchwc"     // onnxruntime's, on channels in blocks
	QONNX     = "qonnx.custom_op.general" // of QONNX files
)

// codes make, read, or compute with integers that stand for floats. Quantizers of the sets 10 to 12 have one scale.
// They mean the same since.
var codes = []Row{
	{Name: "ConvInteger", Min: 2, Max: 4, Since: 10},
	{Name: "DequantizeLinear", Min: 2, Max: 3, Since: 10, Legacy: AsIs, Traits: Carries},
	{Name: "DynamicQuantizeLinear", Min: 1, Max: 1, Since: 11},
	{Name: "MatMulInteger", Min: 2, Max: 4, Since: 10},
	{Name: "QLinearConv", Min: 8, Max: 9, Since: 10},
	{Name: "QLinearMatMul", Min: 8, Max: 8, Since: 10},
	{Name: "QuantizeLinear", Min: 2, Max: 3, Since: 10, Legacy: AsIs, Traits: Carries},
	{Domain: QONNX, Name: "Quant", Min: 4, Max: 4},
}

// runtime operators stand in files that onnxruntime has rewritten.
var runtime = []Row{
	{Domain: Microsoft, Name: "DequantizeLinear", Min: 2, Max: 3, Traits: Carries},
	{Domain: Microsoft, Name: "NhwcMaxPool", Min: 1, Max: 1, Traits: Carries},
	{Domain: Microsoft, Name: "QGemm", Min: 6, Max: 9},
	{Domain: Microsoft, Name: "QLinearAdd", Min: 7, Max: 8},
	{Domain: Microsoft, Name: "QLinearAveragePool", Min: 4, Max: 5},
	{Domain: Microsoft, Name: "QLinearConcat", Min: 5, Max: Any},
	{Domain: Microsoft, Name: "QLinearConv", Min: 8, Max: 9},
	{Domain: Microsoft, Name: "QLinearGlobalAveragePool", Min: 5, Max: 5},
	{Domain: Microsoft, Name: "QLinearLeakyRelu", Min: 4, Max: 5},
	{Domain: Microsoft, Name: "QLinearMul", Min: 7, Max: 8},
	{Domain: Microsoft, Name: "QLinearSigmoid", Min: 4, Max: 5},
	{Domain: Microsoft, Name: "QLinearSoftmax", Min: 5, Max: 5},
	{Domain: Microsoft, Name: "QuantizeLinear", Min: 2, Max: 3, Traits: Carries},
	{Domain: Blocked, Name: "AveragePool", Min: 1, Max: 1},
	{Domain: Blocked, Name: "Conv", Min: 2, Max: 4},
	{Domain: Blocked, Name: "GlobalAveragePool", Min: 1, Max: 1},
	{Domain: Blocked, Name: "GlobalMaxPool", Min: 1, Max: 1},
	{Domain: Blocked, Name: "MaxPool", Min: 1, Max: 1, Traits: View},
	{Domain: Blocked, Name: "ReorderInput", Min: 1, Max: 1, Traits: Carries},
	{Domain: Blocked, Name: "ReorderOutput", Min: 1, Max: 1, Traits: Carries},
	{Domain: Blocked, Name: "Upsample", Min: 1, Max: 1},
}

// Fused reports whether a name is one of those that onnxruntime gives to operators on integers. It makes them of a
// float operator between quantizers. Names without a row count, too.
func Fused(name string) bool { return strings.HasPrefix(name, "QLinear") || name == "QGemm" }

// OnCodes reports whether the operator of a name computes on integers, be it without a row.
func OnCodes(name string) bool { return Fused(name) || strings.HasSuffix(name, "Integer") }
