//go:build unix

package onnx

import (
	"fmt"
	"os"
	"syscall"
)

// mapFile maps a file into memory that cannot be written, without reading it. The mapping stays until the process ends,
// like the tensors that share it. Pages that nobody reads take no memory, and those that were read can be dropped
// again.
func mapFile(f *os.File, size int64) ([]byte, error) {
	data, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	return data, nil
}
