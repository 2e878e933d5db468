// Package export writes a quantized model for one runtime: it takes the normalised float document, a plan, a supernet
// and a policy, and returns a document with integer weights and QuantizeLinear / DequantizeLinear pairs in the dialect
// that the runtime fuses into integer kernels. It also says what may be wrong with such a file (Lint) and compares what
// a runtime computed with a reference (Compare). It runs nothing and touches no files.
package export
