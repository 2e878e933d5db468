package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var eight = []reg.GPPhysical{reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14, reg.R15}

// tileRow is the tile for a single output channel: with one row there is nothing to broadcast for, so it takes eight
// segments at once, and all of a plane in one call.
func tileRow() {
	const name = "tileRowAVX2"
	function(name, "func(k int, a, b *float32, off, src *int32, c *float32, dst *int32, groups int)",
		name+" is tile for one row, no acc, and a positive number of groups of 8 segments; k is positive.")
	at, left, n, temp, w, o := reg.RDX, reg.RBX, reg.RCX, reg.RAX, reg.RSI, reg.RDI
	Load(Param("groups"), left)
	XORQ(at, at) // bytes into src and dst
	Label(name + "_group")
	Load(Param("src"), temp)
	for q, r := range eight {
		MOVLQSX(Mem{Base: temp, Index: at, Scale: 1, Disp: 4 * q}, r)
	}
	Load(Param("b"), temp)
	for q, r := range eight {
		LEAQ(Mem{Base: temp, Index: r, Scale: 4}, r)
		VXORPS(ymm[q], ymm[q], ymm[q])
	}
	Load(Param("a"), w)
	Load(Param("off"), o)
	Load(Param("k"), n)
	Label(name + "_tap")
	MOVLQSX(Mem{Base: o}, temp)
	VBROADCASTSS(Mem{Base: w}, ymm[8])
	for q, r := range eight {
		VFMADD231PS(Mem{Base: r, Index: temp, Scale: 4}, ymm[8], ymm[q])
	}
	ADDQ(Imm(4), o)
	ADDQ(Imm(4), w)
	DECQ(n)
	JNZ(LabelRef(name + "_tap"))
	Load(Param("dst"), temp)
	for q, r := range eight {
		MOVLQSX(Mem{Base: temp, Index: at, Scale: 1, Disp: 4 * q}, r)
	}
	Load(Param("c"), temp)
	for q, r := range eight {
		VMOVUPS(ymm[q], Mem{Base: temp, Index: r, Scale: 4})
	}
	ADDQ(Imm(32), at)
	DECQ(left)
	JNZ(LabelRef(name + "_group"))
	VZEROUPPER()
	RET()
}

// nine are the pointers of the taps of a 3x3 filter.
var nine = append(eight[:8:8], reg.RBX)

// tapSums is the weight gradient of a single channel: a sum of 8 lanes for each of up to 9 taps. Each is a chain of
// dependent additions, so nine cost as much as one.
func tapSums() {
	const name = "tapSumsAVX2"
	function(name, "func(taps int, x *float32, off *int32, dy *float32, src, dst *int32, n int, sums *float32)",
		name+" adds dy[dst[q]+j]*x[src[q]+off[t]+j] to sums[t*8+j] for t < taps, at most 9, q < n, j < 8; n is positive.")
	s, d, at, n, g := reg.RDX, reg.RDI, reg.RAX, reg.RCX, reg.RSI
	Load(Param("taps"), at)
	for t := 1; t < 9; t++ {
		CMPQ(at, Imm(uint64(t)))
		JE(LabelRef(fmt.Sprintf("%s_taps%d", name, t)))
	}
	for taps := 9; taps >= 1; taps-- {
		label := fmt.Sprintf("%s_taps%d", name, taps)
		if taps < 9 {
			Label(label)
		}
		Load(Param("x"), at)
		Load(Param("off"), s)
		Load(Param("sums"), n)
		for t := range taps {
			MOVLQSX(Mem{Base: s, Disp: 4 * t}, nine[t])
			LEAQ(Mem{Base: at, Index: nine[t], Scale: 4}, nine[t])
			VMOVUPS(Mem{Base: n, Disp: 32 * t}, ymm[t])
		}
		Load(Param("src"), s)
		Load(Param("dst"), d)
		Load(Param("dy"), g)
		Load(Param("n"), n)
		Label(label + "_loop")
		MOVLQSX(Mem{Base: d}, at)
		VMOVUPS(Mem{Base: g, Index: at, Scale: 4}, ymm[9])
		MOVLQSX(Mem{Base: s}, at)
		for t := range taps {
			VFMADD231PS(Mem{Base: nine[t], Index: at, Scale: 4}, ymm[9], ymm[t])
		}
		ADDQ(Imm(4), s)
		ADDQ(Imm(4), d)
		DECQ(n)
		JNZ(LabelRef(label + "_loop"))
		Load(Param("sums"), n)
		for t := range taps {
			VMOVUPS(ymm[t], Mem{Base: n, Disp: 32 * t})
		}
		VZEROUPPER()
		RET()
	}
}
