// Command mpqc compresses pretrained ONNX networks by mixed-precision quantization.
package main

import (
	"os"

	"github.com/mpqc/mpqc/cmd"
)

func main() { os.Exit(cmd.Run(os.Args, os.Stdout, os.Stderr)) }
