// Package onnx owns ONNX documents: reading, checked editing and writing. A Model keeps the protobuf messages it was
// read from underneath, so that whatever an edit does not touch is written back as it came: unknown fields, doc
// strings, metadata, functions, subgraphs, sparse initializers, typed data fields, quantization annotations.
//
// Package onnx does not compute, infer shapes (package shape) or rewrite graphs (package pass).
//
// An edit checks everything before it changes anything: one that returns an error leaves the graph as it was.
// Reading a model, Clone and Marshal included, is safe from several goroutines as long as none of them edits it.
package onnx
