//go:build !amd64 || noasm

package kernel

func best() ISA { return Go }

func tileArch(ISA, int, int, []float32, []float32, []int32, []int32, []float32, []int32, int, bool) {
}

func hasVNNI() bool { return false }

func tileIntArch(ISA, int, int, []int32, []int32, []int32, []int32, []float32, []int32, int, []int32, []float32) {
}

func codesArch(ISA, []int32, *[maxLanes][]float32, float32, int32) (seen int32, n int) { return 0, 0 }

func codesRowArch(ISA, []int32, []float32, float32) (seen int32, n int) { return 0, 0 }

func tileRowArch(int, []float32, []float32, []int32, []int32, []float32, []int32) {}

func tapSumsArch([]float32, []int32, []float32, []int32, []int32, []float32) {}

func sweepArch([]float32, *[sweepTaps]float32, []float32, int, int, sweepCut) {}

func sweepSumsArch(_, _, _ []float32, _, _ int, _ sweepCut) {}

func transposeArch([]float32, int, []float32, int, int, int) bool { return false }

func axpyRowsArch(_, _ []float32, _ int, _ []float32) int { return 0 }

func dots64Arch(*[4][]float64, []float64, *[4][4]float64) int { return 0 }

func copyRowsArch([]float32, int, []float32, int, int, int) bool { return false }

func splitRowsArch(_, _ []float32, _ int, _ []float32, _, _, _ int) bool { return false }

func joinRowsArch([]float32, int, []float32, []float32, int, int, int) bool { return false }

func fmaRounds(n int) int64 { return fmaGo(n) }
