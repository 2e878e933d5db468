package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// copyRows copies short rows, for which a call of memmove each would cost more than the copy.
func copyRows() {
	const name = "copyRowsAVX2"
	function(name, "func(dst *float32, ldd int, src *float32, lds, rows, cols int)",
		name+" writes dst[i*ldd+j] = src[i*lds+j] for i < rows, j < cols, with rows positive and cols at least 8.")
	dst, ldd, src, lds, rows, cols := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	Load(Param("dst"), dst)
	Load(Param("ldd"), ldd)
	Load(Param("src"), src)
	Load(Param("lds"), lds)
	Load(Param("rows"), rows)
	Load(Param("cols"), cols)
	SUBQ(Imm(8), cols) // the last 8 floats overlap those before
	j, v := GP64(), YMM()
	Label(name + "_row")
	XORQ(j, j)
	JMP(LabelRef(name + "_test"))
	Label(name + "_copy")
	VMOVUPS(Mem{Base: src, Index: j, Scale: 4}, v)
	VMOVUPS(v, Mem{Base: dst, Index: j, Scale: 4})
	ADDQ(Imm(8), j)
	Label(name + "_test")
	CMPQ(j, cols)
	JLT(LabelRef(name + "_copy"))
	VMOVUPS(Mem{Base: src, Index: cols, Scale: 4}, v)
	VMOVUPS(v, Mem{Base: dst, Index: cols, Scale: 4})
	LEAQ(Mem{Base: src, Index: lds, Scale: 4}, src)
	LEAQ(Mem{Base: dst, Index: ldd, Scale: 4}, dst)
	DECQ(rows)
	JNZ(LabelRef(name + "_row"))
	VZEROUPPER()
	RET()
}

// splitRows separates even from odd columns.
func splitRows() {
	const name = "splitRowsAVX2"
	function(name, "func(even, odd *float32, ldd int, src *float32, lds, rows, cols int)",
		name+" writes even[i*ldd+j] = src[i*lds+2*j] and odd[i*ldd+j] = src[i*lds+2*j+1] for i < rows, j < cols, with rows positive and cols at least 8.")
	even, odd, ldd, src, lds, rows, cols := GP64(), GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	Load(Param("even"), even)
	Load(Param("odd"), odd)
	Load(Param("ldd"), ldd)
	Load(Param("src"), src)
	Load(Param("lds"), lds)
	Load(Param("rows"), rows)
	Load(Param("cols"), cols)
	SUBQ(Imm(8), cols)
	j := GP64()
	split := func() {
		a, b, e, o := YMM(), YMM(), YMM(), YMM()
		VMOVUPS(Mem{Base: src, Index: j, Scale: 8}, a)
		VMOVUPS(Mem{Base: src, Index: j, Scale: 8, Disp: 32}, b)
		VSHUFPS(Imm(0x88), b, a, e)
		VSHUFPS(Imm(0xdd), b, a, o)
		VPERMPD(Imm(0xd8), e, e)
		VPERMPD(Imm(0xd8), o, o)
		VMOVUPS(o, Mem{Base: odd, Index: j, Scale: 4}) // first: odd may be even, and the even columns are to stay
		VMOVUPS(e, Mem{Base: even, Index: j, Scale: 4})
	}
	Label(name + "_row")
	XORQ(j, j)
	JMP(LabelRef(name + "_test"))
	Label(name + "_copy")
	split()
	ADDQ(Imm(8), j)
	Label(name + "_test")
	CMPQ(j, cols)
	JLT(LabelRef(name + "_copy"))
	MOVQ(cols, j)
	split()
	LEAQ(Mem{Base: src, Index: lds, Scale: 4}, src)
	LEAQ(Mem{Base: even, Index: ldd, Scale: 4}, even)
	LEAQ(Mem{Base: odd, Index: ldd, Scale: 4}, odd)
	DECQ(rows)
	JNZ(LabelRef(name + "_row"))
	VZEROUPPER()
	RET()
}

// joinRows is the inverse of splitRows.
func joinRows() {
	const name = "joinRowsAVX2"
	function(name, "func(dst *float32, ldd int, even, odd *float32, lds, rows, cols int)",
		name+" writes dst[i*ldd+2*j] = even[i*lds+j] and dst[i*ldd+2*j+1] = odd[i*lds+j] for i < rows, j < cols, with rows positive and cols at least 8.")
	dst, ldd, even, odd, lds, rows, cols := GP64(), GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	Load(Param("dst"), dst)
	Load(Param("ldd"), ldd)
	Load(Param("even"), even)
	Load(Param("odd"), odd)
	Load(Param("lds"), lds)
	Load(Param("rows"), rows)
	Load(Param("cols"), cols)
	SUBQ(Imm(8), cols)
	j := GP64()
	join := func() {
		e, o, a, b, lo, hi := YMM(), YMM(), YMM(), YMM(), YMM(), YMM()
		VMOVUPS(Mem{Base: even, Index: j, Scale: 4}, e)
		VMOVUPS(Mem{Base: odd, Index: j, Scale: 4}, o)
		VUNPCKLPS(o, e, a) // e0 o0 e1 o1 | e4 o4 e5 o5
		VUNPCKHPS(o, e, b) // e2 o2 e3 o3 | e6 o6 e7 o7
		VPERM2F128(Imm(0x20), b, a, lo)
		VPERM2F128(Imm(0x31), b, a, hi)
		VMOVUPS(lo, Mem{Base: dst, Index: j, Scale: 8})
		VMOVUPS(hi, Mem{Base: dst, Index: j, Scale: 8, Disp: 32})
	}
	Label(name + "_row")
	XORQ(j, j)
	JMP(LabelRef(name + "_test"))
	Label(name + "_copy")
	join()
	ADDQ(Imm(8), j)
	Label(name + "_test")
	CMPQ(j, cols)
	JLT(LabelRef(name + "_copy"))
	MOVQ(cols, j)
	join()
	LEAQ(Mem{Base: dst, Index: ldd, Scale: 4}, dst)
	LEAQ(Mem{Base: even, Index: lds, Scale: 4}, even)
	LEAQ(Mem{Base: odd, Index: lds, Scale: 4}, odd)
	DECQ(rows)
	JNZ(LabelRef(name + "_row"))
	VZEROUPPER()
	RET()
}
