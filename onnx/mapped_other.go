//go:build !unix

package onnx

import (
	"errors"
	"os"
)

// mapFile cannot show files as memory here, so that they are read.
func mapFile(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported }
