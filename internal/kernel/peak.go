package kernel

// FMA does rounds of fused multiply-adds on registers alone with the instruction set in use, and returns the number of
// floating-point operations, 2 for a multiply-add. Timing it gives the most a core can do. The Go version multiplies
// and adds, since its fused form is a function call.
func FMA(rounds int) (flops int64) {
	if rounds < 1 {
		return 0
	}
	return int64(rounds) * fmaRounds(rounds)
}

// fmaGo does rounds of 8 multiply-adds and returns the operations of one.
func fmaGo(rounds int) int64 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	f := float32(rounds) * 1e-30
	for range rounds {
		s0 += f * s0
		s1 += f * s1
		s2 += f * s2
		s3 += f * s3
		s4 += f * s4
		s5 += f * s5
		s6 += f * s6
		s7 += f * s7
	}
	if s0+s1+s2+s3+s4+s5+s6+s7 != 0 { // never, which the compiler cannot know
		return 0
	}
	return 2 * 8
}
