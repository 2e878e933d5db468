// Package onnxpb owns the protobuf messages of ONNX files, generated from onnx.proto. Only packages below onnx/ can
// import it; everything else reads models through package onnx.
package onnxpb

//go:generate ./generate.sh
