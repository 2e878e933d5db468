// Package export writes a quantized model for one runtime: it takes the normalised float document, a plan, a supernet
// and a policy, and returns a document in the dialect that the runtime runs on integers: QuantizeLinear and
// DequantizeLinear pairs, Quant nodes, or a float model with encodings. It also says what may be wrong with such a file,
// or one of another program (Lint), what it means in standard operators (Standard), and compares what a runtime computed
// with a reference (Compare). It runs nothing and touches no files.
package export
