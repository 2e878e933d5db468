package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// fmaSums is the number of independent sums of a peak loop: more than two ports times the latency, and one register
// less than a tile has.
const fmaSums = 12

// peak writes a loop of fused multiply-adds on registers alone, which shows the most a core can do.
func peak(i isa) {
	name := "fma" + i.suffix
	function(name, "func(n int)", name+" does n > 0 rounds of 12 fused multiply-adds of whole registers, each on a sum of its own.")
	n := GP64()
	Load(Param("n"), n)
	factor := i.vec()
	VXORPS(factor.(reg.Vec).AsY(), factor.(reg.Vec).AsY(), factor.(reg.Vec).AsY())
	sums := make([]reg.VecVirtual, fmaSums)
	for j := range sums {
		sums[j] = i.vec()
		VXORPS(sums[j].(reg.Vec).AsY(), sums[j].(reg.Vec).AsY(), sums[j].(reg.Vec).AsY())
	}
	Label(name + "_loop")
	for _, s := range sums {
		VFMADD231PS(factor, factor, s)
	}
	SUBQ(Imm(1), n)
	JNZ(LabelRef(name + "_loop"))
	VZEROUPPER()
	RET()
}
