// Package scoring tells policies apart: it runs them in onnxruntime as they would be exported, on a fixed set of pictures, and compares what
// they put out with what the widest one does.
package scoring
