package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dots has four sums in flight, one per row: additions to one would wait for each other.
func dots() {
	const name = "dots64AVX2"
	function(name, "func(x0, x1, x2, x3, y *float64, n int, sums *float64)",
		name+" writes the sums of xr[i]*y[i] over all i < n that are l modulo 4 to sums[4*r+l], with n a positive multiple of 4.")
	var x [4]reg.GPVirtual
	var sum [4]reg.VecVirtual
	for r := range x {
		x[r], sum[r] = GP64(), YMM()
		Load(Param(fmt.Sprintf("x%d", r)), x[r])
		VXORPD(sum[r], sum[r], sum[r])
	}
	y, n, at := GP64(), GP64(), GP64()
	Load(Param("y"), y)
	Load(Param("n"), n)
	XORQ(at, at)
	Label(name + "_loop")
	v := YMM()
	VMOVUPD(Mem{Base: y, Index: at, Scale: 8}, v)
	for r := range x {
		product := YMM()
		VMULPD(Mem{Base: x[r], Index: at, Scale: 8}, v, product)
		VADDPD(product, sum[r], sum[r])
	}
	ADDQ(Imm(4), at)
	CMPQ(at, n)
	JLT(LabelRef(name + "_loop"))
	sums := GP64()
	Load(Param("sums"), sums)
	for r := range x {
		VMOVUPD(sum[r], Mem{Base: sums, Disp: 32 * r})
	}
	VZEROUPPER()
	RET()
}
