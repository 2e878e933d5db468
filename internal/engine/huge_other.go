//go:build !linux

package engine

// hugePages does nothing: other systems choose the size of pages themselves.
func hugePages([]float32) {}
