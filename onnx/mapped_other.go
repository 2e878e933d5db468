//go:build !unix

package onnx

import (
	"errors"
	"os"
)

// mapFile returns errors.ErrUnsupported: files are read on this system.
func mapFile(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported }
