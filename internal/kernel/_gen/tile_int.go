package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const intTileSignature = "func(m, k int, a, b, off, src *int32, c *float32, dst *int32, ldc int, start *int32, scale *float32)"

// intTile is a tile of an instruction set: how it begins a row of sums, what it does in each step, how it ends a row.
type intTile struct {
	name, doc           string
	rows, segs, every   int
	begin, finish, next func(i int)
	step                func(m int)
}

// generate writes one body per number of rows. Registers are those of the float tile.
func (t intTile) generate() {
	function(t.name, intTileSignature, t.doc)
	Load(Param("k"), count)
	Load(Param("a"), aPtr)
	Load(Param("off"), offPtr)
	segments("b", "src", t.segs, t.every)
	Load(Param("m"), rowCount)
	for m := 1; m < t.rows; m++ {
		CMPQ(rowCount, Imm(uint64(m)))
		JE(LabelRef(fmt.Sprintf("%s_rows%d", t.name, m)))
	}
	for m := t.rows; m >= 1; m-- {
		label := fmt.Sprintf("%s_rows%d", t.name, m)
		if m < t.rows {
			Label(label)
		}
		Load(Param("ldc"), cStride)
		SHLQ(Imm(2), cStride)
		prefetchRows(m, t.segs)
		Load(Param("start"), base)
		for i := range m {
			t.begin(i)
		}
		loop(m, label, func() { t.step(m) })
		segments("c", "dst", t.segs, t.every)
		Load(Param("scale"), base)
		for i := range m {
			t.finish(i)
			if i < m-1 {
				t.next(i)
			}
		}
		VZEROUPPER()
		RET()
	}
}

// intTileAVX2 multiplies pairs of 16-bit numbers: the 8-bit instruction of AVX2 saturates.
func intTileAVX2() {
	acc := func(i, q int) reg.VecPhysical { return ymm[2*i+q] }
	each := func(f func(q int)) {
		f(0)
		f(1)
	}
	intTile{
		name: "tileIntAVX2", doc: "tileIntAVX2 is tileInt for 1 to 6 rows, 2 segments and 2 lanes.",
		rows: 6, segs: 2, every: 1,
		begin: func(i int) { each(func(q int) { VPBROADCASTD(Mem{Base: base, Disp: 4 * i}, acc(i, q)) }) },
		step: func(m int) {
			each(func(q int) { VMOVDQU(Mem{Base: segPtr[q], Index: step, Scale: 4}, ymm[12+q]) })
			for i := range m {
				VPBROADCASTD(Mem{Base: aPtr, Disp: 4 * i}, ymm[14])
				VPMADDWD(ymm[12], ymm[14], ymm[15])
				VPMADDWD(ymm[13], ymm[14], ymm[14])
				VPADDD(ymm[15], acc(i, 0), acc(i, 0))
				VPADDD(ymm[14], acc(i, 1), acc(i, 1))
			}
		},
		finish: func(i int) {
			VBROADCASTSS(Mem{Base: base, Disp: 4 * i}, ymm[15])
			each(func(q int) {
				VCVTDQ2PS(acc(i, q), acc(i, q))
				VMULPS(ymm[15], acc(i, q), acc(i, q))
				VMOVUPS(acc(i, q), Mem{Base: segPtr[q]})
			})
		},
		next: func(int) { each(func(q int) { ADDQ(cStride, segPtr[q]) }) },
	}.generate()
}

// intTileVNNI multiplies four unsigned by four signed 8-bit numbers, in a form for segments that are neighbours in
// pairs, in b as well as in c, and a general one.
func intTileVNNI(pairs bool) {
	name, every, doc := "tileIntVNNI", 1, "tileIntVNNI is tileInt for 1 to 14 rows, 4 segments and 4 lanes."
	if pairs {
		name, every = "tileIntPairsVNNI", 2
		doc = "tileIntPairsVNNI is tileInt for 1 to 14 rows, 4 segments and 4 lanes, where 1 follows 0 and 3 follows 2 in b and in c."
	}
	acc := func(i, v int) reg.VecPhysical { return zmm[2*i+v] }
	intTile{
		name: name, doc: doc, rows: 14, segs: 4, every: every,
		begin: func(i int) {
			VPBROADCASTD(Mem{Base: base, Disp: 4 * i}, acc(i, 0))
			VMOVDQA64(acc(i, 0), acc(i, 1))
		},
		step: func(m int) {
			for v := range 2 {
				at := func(q int) Mem { return Mem{Base: segPtr[q], Index: step, Scale: 4} }
				if pairs {
					VMOVDQU32(at(2*v), zmm[28+v])
				} else {
					VMOVDQU32(at(2*v), ymm[28+v])
					VINSERTI32X8(Imm(1), at(2*v+1), zmm[28+v], zmm[28+v])
				}
			}
			for i := range m {
				w := zmm[30+i%2]
				VPBROADCASTD(Mem{Base: aPtr, Disp: 4 * i}, w)
				VPDPBUSD(w, zmm[28], acc(i, 0))
				VPDPBUSD(w, zmm[29], acc(i, 1))
			}
		},
		finish: func(i int) {
			VBROADCASTSS(Mem{Base: base, Disp: 4 * i}, zmm[28])
			for v := range 2 {
				z := acc(i, v)
				VCVTDQ2PS(z, z)
				VMULPS(zmm[28], z, z)
				if pairs {
					VMOVUPS(z, Mem{Base: segPtr[2*v]})
				} else {
					VMOVUPS(ymm[2*i+v], Mem{Base: segPtr[2*v]})
					VEXTRACTF32X8(Imm(1), z, Mem{Base: segPtr[2*v+1]})
				}
			}
		},
		next: func(int) {
			for q := 0; q < 4; q += every {
				ADDQ(cStride, segPtr[q])
			}
		},
	}.generate()
}
