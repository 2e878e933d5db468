package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sweepParts are what the two sweeps have in common: a pointer that goes down the rows of x, and the masks of the three
// shifts.
type sweepParts struct {
	x, rows, stride  reg.GPVirtual
	left, mid, right reg.OpmaskVirtual
	shifted          [3]reg.VecVirtual
}

func loadSweep() *sweepParts {
	s := &sweepParts{x: GP64(), rows: GP64(), stride: GP64(), left: K(), mid: K(), right: K()}
	Load(Param("x"), s.x)
	Load(Param("rows"), s.rows)
	Load(Param("stride"), s.stride)
	SHLQ(Imm(2), s.stride)
	temp := GP64()
	Load(Param("left"), temp)
	KMOVW(temp.As32(), s.left)
	Load(Param("mid"), temp)
	KMOVW(temp.As32(), s.mid)
	Load(Param("right"), temp)
	KMOVW(temp.As32(), s.right)
	for i := range s.shifted {
		s.shifted[i] = ZMM()
	}
	return s
}

// row loads a row of x, shifted by one to either side, with zeros beyond the border, and goes on to the next.
func (s *sweepParts) row() {
	VMOVUPS_Z(Mem{Base: s.x, Disp: -4}, s.left, s.shifted[0])
	VMOVUPS_Z(Mem{Base: s.x}, s.mid, s.shifted[1])
	VMOVUPS_Z(Mem{Base: s.x, Disp: 4}, s.right, s.shifted[2])
	ADDQ(s.stride, s.x)
}

// sweep goes down 16 columns of a plane. A row of x adds to three rows of y, which are in registers meanwhile.
func sweep() {
	const name = "sweepAVX512"
	function(name, "func(x, w, y *float32, rows, stride, left, mid, right int)",
		name+" writes y[i*stride+j] = the sum of w[3*r+q]*x[(i+r-1)*stride+j+q-1] over r, q < 3 for i < rows and j in mid, a mask of 16 bits; "+
			"terms with i+r-1 beyond the rows, or of a j that is not in left (q = 0), mid or right (q = 2), are 0. rows is positive.")
	s := loadSweep()
	wp, y := GP64(), GP64()
	Load(Param("w"), wp)
	Load(Param("y"), y)
	var w [9]reg.VecVirtual
	for i := range w {
		w[i] = ZMM()
		VBROADCASTSS(Mem{Base: wp, Disp: 4 * i}, w[i])
	}
	above, here, below := ZMM(), ZMM(), ZMM()
	add := func(to reg.VecVirtual, r int) {
		for q, x := range s.shifted {
			VFMADD231PS(x, w[3*r+q], to)
		}
	}
	next := func() {
		VMOVAPS(here, above)
		VMOVAPS(below, here)
	}
	VXORPS(here, here, here)
	VXORPS(below, below, below)
	s.row()
	add(here, 1)
	add(below, 0)
	next()
	DECQ(s.rows)
	JZ(LabelRef(name + "_last"))
	Label(name + "_row")
	s.row()
	VXORPS(below, below, below)
	add(above, 2)
	add(here, 1)
	add(below, 0)
	VMOVUPS(above, s.mid, Mem{Base: y})
	ADDQ(s.stride, y)
	next()
	DECQ(s.rows)
	JNZ(LabelRef(name + "_row"))
	Label(name + "_last")
	VMOVUPS(above, s.mid, Mem{Base: y})
	VZEROUPPER()
	RET()
}

// sweepSums is the weight gradient in the same way: a row of x meets three rows of dy.
func sweepSums() {
	const name = "sweepSumsAVX512"
	function(name, "func(x, dy, sums *float32, rows, stride, left, mid, right int)",
		name+" adds dy[i*stride+j]*x[(i+r-1)*stride+j+q-1] to sums[16*(3*r+q)+j] for r, q < 3, i < rows and the j of mid; left out are the "+
			"terms that sweepAVX512 leaves out. rows is positive.")
	s := loadSweep()
	dy, sums := GP64(), GP64()
	Load(Param("dy"), dy)
	Load(Param("sums"), sums)
	var sum [9]reg.VecVirtual
	for i := range sum {
		sum[i] = ZMM()
		VMOVUPS(Mem{Base: sums, Disp: 64 * i}, sum[i])
	}
	above, here, below := ZMM(), ZMM(), ZMM()
	add := func(g reg.VecVirtual, r int) {
		for q, x := range s.shifted {
			VFMADD231PS(x, g, sum[3*r+q])
		}
	}
	VXORPS(above, above, above)
	VMOVUPS_Z(Mem{Base: dy}, s.mid, here)
	DECQ(s.rows)
	JZ(LabelRef(name + "_last"))
	Label(name + "_row")
	ADDQ(s.stride, dy)
	VMOVUPS_Z(Mem{Base: dy}, s.mid, below)
	s.row()
	add(above, 2)
	add(here, 1)
	add(below, 0)
	VMOVAPS(here, above)
	VMOVAPS(below, here)
	DECQ(s.rows)
	JNZ(LabelRef(name + "_row"))
	Label(name + "_last")
	s.row()
	add(above, 2)
	add(here, 1)
	for i := range sum {
		VMOVUPS(sum[i], Mem{Base: sums, Disp: 64 * i})
	}
	VZEROUPPER()
	RET()
}
