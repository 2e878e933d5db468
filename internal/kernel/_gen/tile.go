package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const tileSignature = "func(m, k int, a, b *float32, off, src *int32, c *float32, dst *int32, ldc int, acc bool)"

// Registers of the tiles. Segment pointers serve b in the loop and c after it.
var (
	aPtr, offPtr, count, step = reg.RSI, reg.RDI, reg.RCX, reg.R12
	segPtr                    = []reg.GPPhysical{reg.R8, reg.R9, reg.R10, reg.R11}
	cStride                   = reg.R13
	rowCount                  = reg.RAX
	base, table               = reg.RBX, reg.RDX
)

// segments loads a base pointer and adds the segments' offsets to it.
func segments(pointer, offsets string, n, every int) {
	Load(Param(pointer), base)
	Load(Param(offsets), table)
	for q := 0; q < n; q += every {
		MOVLQSX(Mem{Base: table, Disp: 4 * q}, segPtr[q])
		LEAQ(Mem{Base: base, Index: segPtr[q], Scale: 4}, segPtr[q])
	}
}

// tileFunction has one body per number of rows, and jumps to the right one.
func tileFunction(name, doc string, segs, every, maxRows int, body func(m int, label string)) {
	function(name, tileSignature, doc)
	Load(Param("k"), count)
	Load(Param("a"), aPtr)
	Load(Param("off"), offPtr)
	segments("b", "src", segs, every)
	Load(Param("m"), rowCount)
	for m := 1; m < maxRows; m++ {
		CMPQ(rowCount, Imm(uint64(m)))
		JE(LabelRef(fmt.Sprintf("%s_rows%d", name, m)))
	}
	for m := maxRows; m >= 1; m-- {
		label := fmt.Sprintf("%s_rows%d", name, m)
		if m < maxRows {
			Label(label)
		}
		Load(Param("ldc"), cStride)
		SHLQ(Imm(2), cStride)
		prefetchRows(m, segs)
		body(m, label)
		segments("c", "dst", segs, every)
		storeTile(m, label)
		VZEROUPPER()
		RET()
	}
}

// prefetchRows fetches the lines of c while the sums are computed: a large c comes from memory, and the stores at the
// end would wait for it. Two addresses per row are enough for 32 floats.
func prefetchRows(m, segs int) {
	low, high := reg.R14, reg.R15
	Load(Param("c"), base)
	Load(Param("dst"), table)
	for q, r := range []reg.GPPhysical{low, high} {
		MOVLQSX(Mem{Base: table, Disp: 4 * q * (segs - 1)}, r)
		LEAQ(Mem{Base: base, Index: r, Scale: 4}, r)
	}
	for i := range m {
		PREFETCHT0(Mem{Base: low})
		PREFETCHT0(Mem{Base: high})
		if i < m-1 {
			ADDQ(cStride, low)
			ADDQ(cStride, high)
		}
	}
}

// loop repeats body for each step of the sum.
func loop(m int, label string, body func()) {
	Label(label + "_loop")
	MOVLQSX(Mem{Base: offPtr}, step)
	body()
	ADDQ(Imm(uint64(4*m)), aPtr)
	ADDQ(Imm(4), offPtr)
	DECQ(count)
	JNZ(LabelRef(label + "_loop"))
}

func storeTile(m int, label string) {
	Load(Param("acc"), reg.AL)
	TESTB(reg.AL, reg.AL)
	JZ(LabelRef(label + "_store"))
	writeRows(m, true)
	VZEROUPPER()
	RET()
	Label(label + "_store")
	writeRows(m, false)
}

// writeRows is set by the tile that is being generated.
var writeRows func(m int, acc bool)

func tileAVX2() {
	acc := func(i, q int) reg.VecPhysical { return ymm[2*i+q] }
	writeRows = func(m int, add bool) {
		for i := range m {
			for q := range 2 {
				if add {
					VADDPS(Mem{Base: segPtr[q]}, acc(i, q), acc(i, q))
				}
				VMOVUPS(acc(i, q), Mem{Base: segPtr[q]})
				if i < m-1 {
					ADDQ(cStride, segPtr[q])
				}
			}
		}
	}
	tileFunction("tileAVX2", "tileAVX2 is tile for 1 to 6 rows and 2 segments.", 2, 1, 6, func(m int, label string) {
		for i := range 2 * m {
			VXORPS(ymm[i], ymm[i], ymm[i])
		}
		loop(m, label, func() {
			for q := range 2 {
				VMOVUPS(Mem{Base: segPtr[q], Index: step, Scale: 4}, ymm[12+q])
			}
			for i := range m {
				b := ymm[14+i%2]
				VBROADCASTSS(Mem{Base: aPtr, Disp: 4 * i}, b)
				VFMADD231PS(ymm[12], b, acc(i, 0))
				VFMADD231PS(ymm[13], b, acc(i, 1))
			}
		})
	})
}

// tileAVX512 has a form for segments that are neighbours in pairs, in b as well as in c, and a general one.
func tileAVX512(pairs bool) {
	name, every := "tileAVX512", 1
	doc := "tileAVX512 is tile for 1 to 14 rows and 4 segments."
	if pairs {
		name, every = "tilePairsAVX512", 2
		doc = "tilePairsAVX512 is tile for 1 to 14 rows and 4 segments, where 1 follows 0 and 3 follows 2 in b and in c."
	}
	acc := func(i, v int) reg.VecPhysical { return zmm[2*i+v] }
	writeRows = func(m int, add bool) {
		for i := range m {
			for v := range 2 {
				z, y, low, high := acc(i, v), ymm[2*i+v], segPtr[2*v], segPtr[2*v+1]
				switch {
				case pairs && add:
					VADDPS(Mem{Base: low}, z, z)
				case add:
					VMOVUPS(Mem{Base: low}, ymm[28+v])
					VINSERTF32X8(Imm(1), Mem{Base: high}, zmm[28+v], zmm[28+v])
					VADDPS(zmm[28+v], z, z)
				}
				if pairs {
					VMOVUPS(z, Mem{Base: low})
				} else {
					VMOVUPS(y, Mem{Base: low})
					VEXTRACTF32X8(Imm(1), z, Mem{Base: high})
				}
				if i < m-1 {
					ADDQ(cStride, low)
					if !pairs {
						ADDQ(cStride, high)
					}
				}
			}
		}
	}
	tileFunction(name, doc, 4, every, 14, func(m int, label string) {
		for i := range 2 * m {
			VPXORD(zmm[i], zmm[i], zmm[i])
		}
		loop(m, label, func() {
			for v := range 2 {
				at := func(q int) Mem { return Mem{Base: segPtr[q], Index: step, Scale: 4} }
				if pairs {
					VMOVUPS(at(2*v), zmm[28+v])
				} else {
					VMOVUPS(at(2*v), ymm[28+v])
					VINSERTF32X8(Imm(1), at(2*v+1), zmm[28+v], zmm[28+v])
				}
			}
			for i := range m {
				b := zmm[30+i%2]
				VBROADCASTSS(Mem{Base: aPtr, Disp: 4 * i}, b)
				VFMADD231PS(zmm[28], b, acc(i, 0))
				VFMADD231PS(zmm[29], b, acc(i, 1))
			}
		})
	})
}

var zmm = []reg.VecPhysical{
	reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
}

var ymm = []reg.VecPhysical{
	reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	reg.Y16, reg.Y17, reg.Y18, reg.Y19, reg.Y20, reg.Y21, reg.Y22, reg.Y23, reg.Y24, reg.Y25, reg.Y26, reg.Y27, reg.Y28, reg.Y29, reg.Y30, reg.Y31,
}
