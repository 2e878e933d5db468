package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// codes writes a kernel that turns rows of floats into codes, one row per lane of a word. The 512-bit form has 4 lanes
// of 8 bits and takes any n, the 256-bit form 2 lanes of 16 bits and multiples of 8.
func codes(wide bool) {
	name, doc, lanes, per := "codesAVX2", "codesAVX2 is codes for 2 lanes and n a positive multiple of 8.", 2, 8
	vec := YMM
	if wide {
		name, doc, lanes, per = "codesAVX512", "codesAVX512 is codes for 4 lanes and n > 0.", 4, 16
		vec = ZMM
	}
	signature := "func(dst *int32, x0, x1 *float32, n int, inverse float32, zero int32) (seen int32)"
	if wide {
		signature = "func(dst *int32, x0, x1, x2, x3 *float32, n int, inverse float32, zero int32) (seen int32)"
	}
	function(name, signature, doc)
	dst, n := GP64(), GP64()
	Load(Param("dst"), dst)
	x := make([]reg.GPVirtual, lanes)
	for i, p := range []string{"x0", "x1", "x2", "x3"}[:lanes] {
		x[i] = GP64()
		Load(Param(p), x[i])
	}
	Load(Param("n"), n)
	inverse, zero, seen := vec(), vec(), vec()
	p, err := Param("inverse").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(p.Addr, inverse)
	z := GP32()
	Load(Param("zero"), z)
	VMOVD(z, zero.AsX())
	VPBROADCASTD(zero.AsX(), zero)
	if wide {
		VPXORD(seen, seen, seen)
	} else {
		VPXOR(seen, seen, seen)
	}
	body := func(load func(x reg.GPVirtual, to reg.VecVirtual)) reg.VecVirtual {
		v := make([]reg.VecVirtual, lanes)
		for i := range v {
			v[i] = vec()
			load(x[i], v[i])
			VMULPS(inverse, v[i], v[i])
			VCVTPS2DQ(v[i], v[i])
			VPADDD(zero, v[i], v[i])
		}
		return word(wide, v, seen)
	}
	Label(name + "_loop")
	if wide {
		CMPQ(n, Imm(16))
		JL(LabelRef(name + "_tail"))
	}
	w := body(func(x reg.GPVirtual, to reg.VecVirtual) { VMOVUPS(Mem{Base: x}, to) })
	if wide {
		VMOVDQU32(w, Mem{Base: dst})
	} else {
		VMOVDQU(w, Mem{Base: dst})
	}
	for _, p := range append(x, dst) {
		ADDQ(Imm(uint64(4*per)), p)
	}
	SUBQ(Imm(uint64(per)), n)
	JNZ(LabelRef(name + "_loop"))
	if wide {
		Label(name + "_tail")
		mask := tailMask(n)
		w := body(func(x reg.GPVirtual, to reg.VecVirtual) { VMOVUPS_Z(Mem{Base: x}, mask, to) })
		VMOVDQU32(w, mask, Mem{Base: dst})
	}
	fold(wide, seen)
	result := GP32()
	VMOVD(seen.AsX(), result)
	Store(result, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// codesRow writes a kernel that turns neighbouring floats into the lanes of signed words: 4 lanes of 8 bits and any n
// in the 512-bit form, 2 lanes of 16 bits and multiples of 16 in the 256-bit form.
func codesRow(wide bool) {
	name, doc, vec := "codesRowAVX2", "codesRowAVX2 is codesRow for 2 lanes and n a positive multiple of 16.", YMM
	if wide {
		name, doc, vec = "codesRowAVX512", "codesRowAVX512 is codesRow for 4 lanes and n > 0.", ZMM
	}
	function(name, "func(dst *int32, x *float32, n int, inverse float32) (seen int32)", doc)
	dst, x, n := GP64(), GP64(), GP64()
	Load(Param("dst"), dst)
	Load(Param("x"), x)
	Load(Param("n"), n)
	inverse, low, seen := vec(), vec(), vec()
	p, err := Param("inverse").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(p.Addr, inverse)
	c := GP32()
	MOVL(U32(128), c)
	VMOVD(c, low.AsX())
	VPBROADCASTD(low.AsX(), low)
	VPXOR(seen.AsY(), seen.AsY(), seen.AsY())
	convert := func(load func(to reg.VecVirtual)) reg.VecVirtual {
		v, t := vec(), vec()
		load(v)
		VMULPS(inverse, v, v)
		VCVTPS2DQ(v, v)
		VPADDD(low, v, t)
		if wide {
			VPORD(t, seen, seen)
		} else {
			VPOR(t, seen, seen)
		}
		return v
	}
	Label(name + "_loop")
	if wide {
		CMPQ(n, Imm(16))
		JL(LabelRef(name + "_tail"))
		b := XMM()
		VPMOVDB(convert(func(to reg.VecVirtual) { VMOVUPS(Mem{Base: x}, to) }), b)
		VMOVDQU(b, Mem{Base: dst})
		ADDQ(Imm(16), dst)
	} else {
		a := convert(func(to reg.VecVirtual) { VMOVUPS(Mem{Base: x}, to) })
		b := convert(func(to reg.VecVirtual) { VMOVUPS(Mem{Base: x, Disp: 32}, to) })
		VPACKSSDW(b, a, a)
		VPERMQ(Imm(0xd8), a, a)
		VMOVDQU(a, Mem{Base: dst})
		ADDQ(Imm(32), dst)
	}
	ADDQ(Imm(64), x)
	SUBQ(Imm(16), n)
	JNZ(LabelRef(name + "_loop"))
	if wide {
		Label(name + "_tail")
		mask, b := tailMask(n), XMM()
		VPMOVDB(convert(func(to reg.VecVirtual) { VMOVUPS_Z(Mem{Base: x}, mask, to) }), b)
		ADDQ(Imm(3), n)
		SHRQ(Imm(2), n)
		VMOVDQU32(b, tailMask(n), Mem{Base: dst})
	}
	fold(wide, seen)
	result := GP32()
	VMOVD(seen.AsX(), result)
	Store(result, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// tailMask has the lowest n < 16 bits set. Where nothing is left it is empty, and loads and stores touch nothing.
func tailMask(n reg.GPVirtual) reg.OpmaskVirtual {
	ones, k := GP64(), K()
	MOVQ(U64(1), ones)
	MOVQ(n, reg.RCX)
	SHLQ(reg.CL, ones)
	DECQ(ones)
	KMOVW(ones.As32(), k)
	return k
}

// word merges codes into words, and marks in seen which bits occurred.
func word(wide bool, v []reg.VecVirtual, seen reg.VecVirtual) reg.VecVirtual {
	if !wide {
		VPOR(v[0], seen, seen)
		VPOR(v[1], seen, seen)
		VPSLLD(Imm(16), v[1], v[1])
		VPOR(v[0], v[1], v[1])
		return v[1]
	}
	const or3 = 0xfe
	VPTERNLOGD(Imm(or3), v[0], v[1], seen)
	VPTERNLOGD(Imm(or3), v[2], v[3], seen)
	for i := 1; i < 4; i++ {
		VPSLLD(Imm(uint64(8*i)), v[i], v[i])
	}
	VPTERNLOGD(Imm(or3), v[0], v[1], v[2])
	VPORD(v[2], v[3], v[3])
	return v[3]
}

// fold leaves the union of all elements of v in the lowest.
func fold(wide bool, v reg.VecVirtual) {
	t := YMM()
	if wide {
		VEXTRACTI64X4(Imm(1), v, t)
		VPOR(t, v.AsY(), v.AsY())
	}
	VEXTRACTI128(Imm(1), v.AsY(), t.AsX())
	VPOR(t.AsX(), v.AsX(), v.AsX())
	for _, order := range []uint64{0x4e, 0xb1} {
		VPSHUFD(Imm(order), v.AsX(), t.AsX())
		VPOR(t.AsX(), v.AsX(), v.AsX())
	}
}
