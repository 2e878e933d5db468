//go:build !amd64 || noasm

package kernel

func best() ISA { return Go }

func tileArch(isa ISA, m, k int, a, b []float32, off, src []int32, c []float32, dst []int32, ldc int, acc bool) bool {
	return false
}
