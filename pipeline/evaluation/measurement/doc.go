// Package measurement measures a network on test samples: a file in onnxruntime, or its simulation in integers.
package measurement
