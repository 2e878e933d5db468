package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// block is 16 floats: one register or two.
type block []reg.VecVirtual

// emitter writes the vector form of one kernel for one instruction set.
type emitter struct {
	isa
	scalars map[string]reg.VecVirtual
	in      map[string]reg.GPVirtual
	lanes   map[string]block
}

func (e *emitter) fresh() block {
	b := make(block, e.vecs)
	for i := range b {
		b[i] = e.vec()
	}
	return b
}

// each applies a three-operand instruction: f(second source, first source, destination), Go's operand order.
func (e *emitter) each(f func(b, a, dst Op), b, a block) block {
	dst := e.fresh()
	for i := range dst {
		f(b[i], a[i], dst[i])
	}
	return dst
}

func (e *emitter) scalar(name string) block {
	b := make(block, e.vecs)
	for i := range b {
		b[i] = e.scalars[name]
	}
	return b
}

func (e *emitter) load(name string) block {
	b := e.fresh()
	for i := range b {
		VMOVUPS(Mem{Base: e.in[name], Disp: i * 32}, b[i])
	}
	return b
}

func (e *emitter) store(name string, b block) {
	for i := range b {
		VMOVUPS(b[i], Mem{Base: e.in[name], Disp: i * 32})
	}
}

func (e *emitter) add(a, b block) block { return e.each(func(b, a, d Op) { VADDPS(b, a, d) }, b, a) }

func (e *emitter) sub(a, b block) block { return e.each(func(b, a, d Op) { VSUBPS(b, a, d) }, b, a) }

func (e *emitter) mul(a, b block) block { return e.each(func(b, a, d Op) { VMULPS(b, a, d) }, b, a) }

func (e *emitter) div(a, b block) block { return e.each(func(b, a, d Op) { VDIVPS(b, a, d) }, b, a) }

// clamp has v as the second source of both, which is what the instructions return for NaN and for equal zeros.
func (e *emitter) clamp(v block, lo, hi string) block {
	v = e.each(func(b, a, d Op) { VMAXPS(b, a, d) }, v, e.scalar(lo))
	return e.each(func(b, a, d Op) { VMINPS(b, a, d) }, v, e.scalar(hi))
}

// round is to the nearest whole number, halves to even.
func (e *emitter) round(v block) block {
	dst := e.fresh()
	for i := range dst {
		if e.wide {
			VRNDSCALEPS(Imm(0), v[i], dst[i])
		} else {
			VROUNDPS(Imm(0), v[i], dst[i])
		}
	}
	return dst
}

// keepBetween gives v where lo < x < hi, else 0.
func (e *emitter) keepBetween(v, x, lo, hi block) block {
	const less = 17 // LT_OQ
	dst := e.fresh()
	for i := range dst {
		if e.wide {
			k1, k2 := K(), K()
			VCMPPS(Imm(less), x[i], lo[i], k1)
			VCMPPS(Imm(less), hi[i], x[i], k1, k2)
			VMOVAPS_Z(v[i], k2, dst[i])
			continue
		}
		m1, m2 := YMM(), YMM()
		VCMPPS(Imm(less), x[i], lo[i], m1)
		VCMPPS(Imm(less), hi[i], x[i], m2)
		VANDPS(m1, m2, m1)
		VANDPS(v[i], m1, dst[i])
	}
	return dst
}

// keepEqual gives each of vs where a == b, else 0.
func (e *emitter) keepEqual(a, b block, vs ...block) []block {
	out := make([]block, len(vs))
	for j := range vs {
		out[j] = e.fresh()
	}
	for i := range a {
		if e.wide {
			k := K()
			VCMPPS(Imm(0), b[i], a[i], k)
			for j, v := range vs {
				VMOVAPS_Z(v[i], k, out[j][i])
			}
			continue
		}
		m := YMM()
		VCMPPS(Imm(0), b[i], a[i], m)
		for j, v := range vs {
			VANDPS(v[i], m, out[j][i])
		}
	}
	return out
}

// kernel is a loop over slices in steps of 16 floats. The caller does what is left.
type kernel struct {
	name    string
	scalars []string
	slices  []string
	sums    []string // lane sums, stored as 16 floats each
	doc     string
	body    func(e *emitter)
}

func (k kernel) signature() string {
	var args []string
	for _, s := range k.slices {
		args = append(args, s+" *float32")
	}
	args = append(args, "n int")
	for _, s := range k.scalars {
		args = append(args, s+" float32")
	}
	for _, s := range k.sums {
		args = append(args, s+" *float32")
	}
	return "func(" + strings.Join(args, ", ") + ")"
}

func (k kernel) generate(i isa) {
	name := k.name + i.suffix
	function(name, k.signature(), fmt.Sprintf("%s computes, for n a positive multiple of 16, %s.", name, k.doc))
	e := &emitter{isa: i, scalars: map[string]reg.VecVirtual{}, in: map[string]reg.GPVirtual{}, lanes: map[string]block{}}
	for _, s := range k.slices {
		p := GP64()
		Load(Param(s), p)
		e.in[s] = p
	}
	n := GP64()
	Load(Param("n"), n)
	for _, s := range k.scalars {
		v := i.vec()
		p, err := Param(s).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(p.Addr, v)
		e.scalars[s] = v
	}
	for _, s := range k.sums {
		e.lanes[s] = e.fresh()
		for _, v := range e.lanes[s] {
			VXORPS(v.(reg.Vec).AsY(), v.(reg.Vec).AsY(), v.(reg.Vec).AsY())
		}
	}
	Label(name + "_loop")
	k.body(e)
	for _, s := range k.slices {
		ADDQ(Imm(64), e.in[s])
	}
	SUBQ(Imm(16), n)
	JNZ(LabelRef(name + "_loop"))
	for _, s := range k.sums {
		p := GP64()
		Load(Param(s), p)
		for j, v := range e.lanes[s] {
			VMOVUPS(v, Mem{Base: p, Disp: j * 32})
		}
	}
	VZEROUPPER()
	RET()
}

// affine is a*x + b.
func (e *emitter) affine() block {
	return e.add(e.mul(e.scalar("a"), e.load("x")), e.scalar("b"))
}

// accumulate adds v to the named lane sums.
func (e *emitter) accumulate(name string, v block) {
	for i, s := range e.lanes[name] {
		VADDPS(v[i], s, s)
	}
}

var mapKernels = []kernel{
	{"add", nil, []string{"x", "y", "z"}, nil, "z = x + y", func(e *emitter) {
		e.store("z", e.add(e.load("x"), e.load("y")))
	}},
	{"mul", nil, []string{"x", "y", "z"}, nil, "z = x * y", func(e *emitter) {
		e.store("z", e.mul(e.load("x"), e.load("y")))
	}},
	{"axpy", []string{"a"}, []string{"x", "y"}, nil, "y += a*x", func(e *emitter) {
		e.store("y", e.add(e.load("y"), e.mul(e.scalar("a"), e.load("x"))))
	}},
	{"scaleShift", []string{"a", "b"}, []string{"x", "y"}, nil, "y = a*x + b", func(e *emitter) {
		e.store("y", e.add(e.mul(e.scalar("a"), e.load("x")), e.scalar("b")))
	}},
	{"combine", []string{"a", "b", "c"}, []string{"x", "y", "z"}, nil, "z = a*x + b*y + c", func(e *emitter) {
		e.store("z", e.add(e.add(e.mul(e.scalar("a"), e.load("x")), e.mul(e.scalar("b"), e.load("y"))), e.scalar("c")))
	}},
	{"clip", []string{"lo", "hi"}, []string{"x", "y"}, nil, "y = min(max(x, lo), hi)", func(e *emitter) {
		e.store("y", e.clamp(e.load("x"), "lo", "hi"))
	}},
	{"clipGrad", []string{"lo", "hi"}, []string{"x", "dy", "dx"}, nil, "dx = dy where lo < x < hi, else 0", func(e *emitter) {
		e.store("dx", e.keepBetween(e.load("dy"), e.load("x"), e.scalar("lo"), e.scalar("hi")))
	}},
	{"mulAdd", nil, []string{"x", "a", "b", "y"}, nil, "y = a*x + b", func(e *emitter) {
		e.store("y", e.add(e.mul(e.load("a"), e.load("x")), e.load("b")))
	}},
	{"columnMoments", nil, []string{"x", "c", "sum", "sq"}, nil, "sum += x-c; sq += (x-c)^2", func(e *emitter) {
		d := e.sub(e.load("x"), e.load("c"))
		e.store("sum", e.add(e.load("sum"), d))
		e.store("sq", e.add(e.load("sq"), e.mul(d, d)))
	}},
	{"columnGradMoments", nil, []string{"x", "dy", "c", "sum", "dot"}, nil, "sum += dy; dot += dy*(x-c)", func(e *emitter) {
		g := e.load("dy")
		e.store("sum", e.add(e.load("sum"), g))
		e.store("dot", e.add(e.load("dot"), e.mul(g, e.sub(e.load("x"), e.load("c")))))
	}},
	{"combineColumns", nil, []string{"x", "a", "b", "y", "c", "z"}, nil, "z = a*x + b*y + c", func(e *emitter) {
		e.store("z", e.add(e.add(e.mul(e.load("a"), e.load("x")), e.mul(e.load("b"), e.load("y"))), e.load("c")))
	}},
	{"approach", []string{"a"}, []string{"x", "y"}, nil, "y += a*(x-y)", func(e *emitter) {
		y := e.load("y")
		e.store("y", e.add(y, e.mul(e.scalar("a"), e.sub(e.load("x"), y))))
	}},
	{"axpyOutside", []string{"a", "lo", "hi"}, []string{"x", "y"}, nil, "y += a*x unless lo <= x <= hi", func(e *emitter) {
		x := e.load("x")
		inside := e.keepEqual(e.clamp(x, "lo", "hi"), x, x)[0]
		e.store("y", e.add(e.load("y"), e.mul(e.scalar("a"), e.sub(x, inside))))
	}},
	{"nesterov", []string{"rate", "mu"}, []string{"dx", "m", "x"}, nil, "m = mu*m + dx; x -= rate*(dx + mu*m)", func(e *emitter) {
		g := e.load("dx")
		m := e.add(e.mul(e.scalar("mu"), e.load("m")), g)
		e.store("m", m)
		e.store("x", e.sub(e.load("x"), e.mul(e.scalar("rate"), e.add(g, e.mul(e.scalar("mu"), m)))))
	}},
	{"fakeQuant", []string{"s", "lo", "hi"}, []string{"x", "y"}, nil, "y = s*rint(min(max(x/s, lo), hi))", func(e *emitter) {
		e.store("y", e.mul(e.scalar("s"), e.round(e.clamp(e.div(e.load("x"), e.scalar("s")), "lo", "hi"))))
	}},
}

var sumKernels = []kernel{
	{"sum", nil, []string{"x"}, []string{"l"}, "lane sums of x", func(e *emitter) {
		e.accumulate("l", e.load("x"))
	}},
	{"dot", nil, []string{"x", "y"}, []string{"l"}, "lane sums of x*y", func(e *emitter) {
		e.accumulate("l", e.mul(e.load("x"), e.load("y")))
	}},
	{"sumSqDiff", nil, []string{"x", "y"}, []string{"l"}, "lane sums of (x-y)^2", func(e *emitter) {
		d := e.sub(e.load("x"), e.load("y"))
		e.accumulate("l", e.mul(d, d))
	}},
	{"moments", []string{"c"}, []string{"x"}, []string{"l", "q"}, "lane sums of x-c and of (x-c)^2", func(e *emitter) {
		d := e.sub(e.load("x"), e.scalar("c"))
		e.accumulate("l", d)
		e.accumulate("q", e.mul(d, d))
	}},
	{"gradMoments", []string{"c"}, []string{"x", "dy"}, []string{"l", "q"}, "lane sums of dy and of dy*(x-c)", func(e *emitter) {
		g := e.load("dy")
		e.accumulate("l", g)
		e.accumulate("q", e.mul(g, e.sub(e.load("x"), e.scalar("c"))))
	}},
	{"pull", []string{"s", "lo", "hi", "part", "a"}, []string{"x", "dx"}, []string{"l"}, "dx += a*d, and lane sums of d^2, with d as Pull has it", func(e *emitter) {
		v := e.div(e.load("x"), e.scalar("s"))
		c := e.clamp(v, "lo", "hi")
		level := e.round(c)
		d := e.keepEqual(c, v, e.mul(e.sub(v, level), e.scalar("s")))[0]
		share := e.mul(level, e.scalar("part"))
		d = e.keepEqual(e.round(share), share, d)[0]
		e.store("dx", e.add(e.load("dx"), e.mul(e.scalar("a"), d)))
		e.accumulate("l", e.mul(d, d))
	}},
	{"fakeQuantGrad", []string{"s", "lo", "hi"}, []string{"x", "dy", "dx"}, []string{"l"}, "dx, and lane sums of the terms of ds", func(e *emitter) {
		v := e.div(e.load("x"), e.scalar("s"))
		c := e.clamp(v, "lo", "hi")
		dy := e.load("dy")
		kept := e.keepEqual(c, v, dy, v)
		e.store("dx", kept[0])
		e.accumulate("l", e.mul(dy, e.sub(e.round(c), kept[1])))
	}},
}
