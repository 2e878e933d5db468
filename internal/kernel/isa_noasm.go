//go:build !amd64 || noasm

package kernel

func best() ISA { return Go }

func tileArch(ISA, int, int, []float32, []float32, []int32, []int32, []float32, []int32, int, bool) {
}

func tileRowArch(int, []float32, []float32, []int32, []int32, []float32, []int32) {}

func tapSumsArch([]float32, []int32, []float32, []int32, []int32, []float32) {}

func transposeArch([]float32, int, []float32, int, int, int) bool { return false }

func copyRowsArch([]float32, int, []float32, int, int, int) bool { return false }

func splitRowsArch(_, _ []float32, _ int, _ []float32, _, _, _ int) bool { return false }

func joinRowsArch([]float32, int, []float32, []float32, int, int, int) bool { return false }

func addArch(_, _, _ []float32) int                                      { return 0 }
func mulArch(_, _, _ []float32) int                                      { return 0 }
func axpyArch(float32, []float32, []float32) int                         { return 0 }
func scaleShiftArch(_, _ float32, _, _ []float32) int                    { return 0 }
func combineArch(_, _, _ float32, _, _, _ []float32) int                 { return 0 }
func clipArch(_, _ float32, _, _ []float32) int                          { return 0 }
func clipGradArch(_, _ float32, _, _, _ []float32) int                   { return 0 }
func quantizeArch(_, _, _ float32, _, _ []float32) int                   { return 0 }
func fakeQuantArch(_, _, _ float32, _, _ []float32) int                  { return 0 }
func fakeQuantGradArch(_, _, _ float32, _, _, _ []float32, _ *lanes) int { return 0 }
func sumArch([]float32, *lanes) int                                      { return 0 }
func dotArch(_, _ []float32, _ *lanes) int                               { return 0 }
func sumSqDiffArch(_, _ []float32, _ *lanes) int                         { return 0 }
func momentsArch(float32, []float32, *lanes, *lanes) int                 { return 0 }
func gradMomentsArch(float32, []float32, []float32, *lanes, *lanes) int  { return 0 }

func scaleShiftClipArch(_, _, _, _ float32, _, _ []float32) int { return 0 }

func combineClipArch(_, _, _, _, _, _, _ float32, _, _, _ []float32) int { return 0 }

func gradMomentsClipArch(_, _, _, _, _ float32, _, _ []float32, _, _ *lanes) int { return 0 }
