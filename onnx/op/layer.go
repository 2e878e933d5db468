package op

// layers multiply by weights, which are most of a network's constants.
var layers = []Row{
	{Name: "Attention", Min: 3, Max: 7, Since: 23},
	{Name: "CausalConvWithState", Min: 2, Max: 4, Since: 27},
	{Name: "Conv", Min: 2, Max: 3, Legacy: AsIs, Kind: Conv, Batch: BatchKept, Traits: Learned | Window},
	{Name: "ConvTranspose", Min: 2, Max: 3, Legacy: AsIs, Kind: ConvTranspose, Batch: BatchOpened, Traits: Learned},
	{Name: "DeformConv", Min: 3, Max: 5, Since: 19},
	{Name: "Einsum", Min: 1, Max: Any, Since: 12, Legacy: AsIs},
	{Name: "GRU", Min: 3, Max: 6, NoOutput: true, Legacy: AsIs},
	{Name: "Gemm", Min: 2, Max: 3, Legacy: AsIs, Kind: Gemm, Traits: Learned},
	{Name: "LSTM", Min: 3, Max: 8, NoOutput: true, Legacy: AsIs},
	{Name: "LinearAttention", Min: 3, Max: 6, Since: 27},
	{Name: "MatMul", Min: 2, Max: 2, Legacy: AsIs, Kind: MatMul, Traits: Learned},
	{Name: "RNN", Min: 3, Max: 6, NoOutput: true, Legacy: AsIs},
	{Name: "RotaryEmbedding", Min: 3, Max: 4, Since: 23},
}
