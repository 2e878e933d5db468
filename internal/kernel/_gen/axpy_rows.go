package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// axpyRegisters hold elements of y while all rows pass: enough for products and additions to wait for each other.
const axpyRegisters = 8

// axpyRows adds multiples of many rows. Row by row y would be read and written for each.
func axpyRows(i isa) {
	name := "axpyRows" + i.suffix
	function(name, "func(a *float32, rows int, x *float32, stride int, y *float32, n int)",
		name+" adds a[r]*x[r*stride+j] to y[j] for r < rows, one after the other, and j < n, with rows positive and n a positive multiple of 16.")
	x, y, stride, n := GP64(), GP64(), GP64(), GP64()
	Load(Param("x"), x)
	Load(Param("y"), y)
	Load(Param("stride"), stride)
	Load(Param("n"), n)
	SHLQ(Imm(2), stride)
	for _, vectors := range []int{axpyRegisters, i.vecs} {
		floats := vectors * 16 / i.vecs
		label := fmt.Sprintf("%s_by%d", name, floats)
		Label(label)
		CMPQ(n, U32(floats))
		JLT(LabelRef(label + "_end"))
		i.axpyBlock(label, x, y, stride, vectors)
		ADDQ(U32(4*floats), x)
		ADDQ(U32(4*floats), y)
		SUBQ(U32(floats), n)
		JMP(LabelRef(label))
		Label(label + "_end")
	}
	VZEROUPPER()
	RET()
}

// axpyBlock takes as much of y as fits into so many registers past all rows.
func (i isa) axpyBlock(label string, x, y, stride reg.GPVirtual, vectors int) {
	bytes := 64 / i.vecs // of a register
	row, rows, a := GP64(), GP64(), GP64()
	MOVQ(x, row)
	Load(Param("rows"), rows)
	Load(Param("a"), a)
	sums := make([]reg.VecVirtual, vectors)
	for j := range sums {
		sums[j] = i.vec()
		VMOVUPS(Mem{Base: y, Disp: j * bytes}, sums[j])
	}
	Label(label + "_row")
	factor := i.vec()
	VBROADCASTSS(Mem{Base: a}, factor)
	for j, sum := range sums {
		product := i.vec()
		VMULPS(Mem{Base: row, Disp: j * bytes}, factor, product)
		VADDPS(product, sum, sum)
	}
	ADDQ(Imm(4), a)
	ADDQ(stride, row)
	DECQ(rows)
	JNZ(LabelRef(label + "_row"))
	for j, sum := range sums {
		VMOVUPS(sum, Mem{Base: y, Disp: j * bytes})
	}
}
