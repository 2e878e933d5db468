package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const transposeSignature = "func(dst *float32, ldd int, src *float32, lds, cols int)"

// transposeSetup loads the arguments, strides in bytes.
func transposeSetup() (dst, ldd, src, lds, cols reg.GPVirtual) {
	dst, ldd, src, lds, cols = GP64(), GP64(), GP64(), GP64(), GP64()
	Load(Param("dst"), dst)
	Load(Param("ldd"), ldd)
	Load(Param("src"), src)
	Load(Param("lds"), lds)
	Load(Param("cols"), cols)
	SHLQ(Imm(2), ldd)
	SHLQ(Imm(2), lds)
	return dst, ldd, src, lds, cols
}

// rows are the addresses of 4 rows from p on.
func rows(p, ld, ld3 reg.GPVirtual, disp int) []Mem {
	return []Mem{{Base: p, Disp: disp}, {Base: p, Index: ld, Scale: 1, Disp: disp}, {Base: p, Index: ld, Scale: 2, Disp: disp}, {Base: p, Index: ld3, Scale: 1, Disp: disp}}
}

// square transposes 4x4 squares in each 128-bit half of v in place.
func square(v, t []reg.VecVirtual) []reg.VecVirtual {
	VUNPCKLPS(v[1], v[0], t[0])
	VUNPCKHPS(v[1], v[0], t[1])
	VUNPCKLPS(v[3], v[2], t[2])
	VUNPCKHPS(v[3], v[2], t[3])
	VUNPCKLPD(t[2], t[0], v[0])
	VUNPCKHPD(t[2], t[0], v[1])
	VUNPCKLPD(t[3], t[1], v[2])
	VUNPCKHPD(t[3], t[1], v[3])
	return v
}

func registers(f func() reg.VecVirtual) []reg.VecVirtual {
	return []reg.VecVirtual{f(), f(), f(), f()}
}

// transpose8 turns 8 rows into columns, 4 columns at a time: each 256-bit register holds 4 columns of rows i and i+4.
func transpose8() {
	const name = "transpose8AVX2"
	function(name, transposeSignature, name+" writes dst[j*ldd+i] = src[i*lds+j] for i < 8, j < cols, cols a positive multiple of 4.")
	dst, ldd, src, lds, cols := transposeSetup()
	lds3, ldd3, low := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	LEAQ(Mem{Base: src, Index: lds, Scale: 4}, low)
	v, t := registers(YMM), registers(YMM)
	Label(name + "_loop")
	upper, lower := rows(src, lds, lds3, 0), rows(low, lds, lds3, 0)
	for i := range 4 {
		VMOVUPS(upper[i], v[i].AsX())
		VINSERTF128(Imm(1), lower[i], v[i], v[i])
	}
	for i, m := range rows(dst, ldd, ldd3, 0) {
		if i == 0 {
			square(v, t)
		}
		VMOVUPS(v[i], m)
	}
	ADDQ(Imm(16), src)
	ADDQ(Imm(16), low)
	LEAQ(Mem{Base: dst, Index: ldd, Scale: 4}, dst)
	SUBQ(Imm(4), cols)
	JNZ(LabelRef(name + "_loop"))
	VZEROUPPER()
	RET()
}

// transpose16 turns 16 rows into columns, 4 columns at a time: each 512-bit register holds 4 columns of 4 rows, 4
// apart. A column is a whole cache line.
func transpose16() {
	const name = "transpose16AVX512"
	function(name, transposeSignature, name+" writes dst[j*ldd+i] = src[i*lds+j] for i < 16, j < cols, cols a positive multiple of 4.")
	dst, ldd, src, lds, cols := transposeSetup()
	lds3, ldd3 := GP64(), GP64()
	LEAQ(Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	parts := []reg.GPVirtual{src, GP64(), GP64(), GP64()}
	for i := range 3 {
		LEAQ(Mem{Base: parts[i], Index: lds, Scale: 4}, parts[i+1])
	}
	v, t := registers(ZMM), registers(ZMM)
	Label(name + "_loop")
	for q, part := range parts {
		for i, m := range rows(part, lds, lds3, 0) {
			if q == 0 {
				VMOVUPS(m, v[i].AsX())
			} else {
				VINSERTF32X4(Imm(uint64(q)), m, v[i], v[i])
			}
		}
	}
	square(v, t)
	for i, m := range rows(dst, ldd, ldd3, 0) {
		VMOVUPS(v[i], m)
	}
	for _, part := range parts {
		ADDQ(Imm(16), part)
	}
	LEAQ(Mem{Base: dst, Index: ldd, Scale: 4}, dst)
	SUBQ(Imm(4), cols)
	JNZ(LabelRef(name + "_loop"))
	VZEROUPPER()
	RET()
}

// transpose4 turns 4 rows into columns, 4 columns at a time.
func transpose4() {
	const name = "transpose4AVX2"
	function(name, transposeSignature, name+" writes dst[j*ldd+i] = src[i*lds+j] for i < 4, j < cols, cols a positive multiple of 4.")
	dst, ldd, src, lds, cols := transposeSetup()
	lds3, ldd3 := GP64(), GP64()
	LEAQ(Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	v, t := registers(XMM), registers(XMM)
	Label(name + "_loop")
	for i, m := range rows(src, lds, lds3, 0) {
		VMOVUPS(m, v[i])
	}
	square(v, t)
	for i, m := range rows(dst, ldd, ldd3, 0) {
		VMOVUPS(v[i], m)
	}
	ADDQ(Imm(16), src)
	LEAQ(Mem{Base: dst, Index: ldd, Scale: 4}, dst)
	SUBQ(Imm(4), cols)
	JNZ(LabelRef(name + "_loop"))
	VZEROUPPER()
	RET()
}
