module github.com/mpqc/mpqc

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	github.com/k2-fsa/sherpa-onnx-go-linux v1.13.8
	github.com/owulveryck/onnx-go v0.5.0
	github.com/urfave/cli/v2 v2.27.7
	github.com/yalue/onnxruntime_go v1.27.0
	golang.org/x/sys v0.49.0
	google.golang.org/protobuf v1.36.12
)
