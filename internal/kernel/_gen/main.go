// Command _gen writes the amd64 assembly of package kernel. Run it through go generate in the package's folder. It is a
// module of its own so that users of mpqc do not pull the assembler library in.
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set that kernels are generated for.
type isa struct {
	suffix string // of function names
	wide   bool   // 512-bit registers with masks, otherwise 256-bit
	vec    func() reg.VecVirtual
	vecs   int // registers that hold 16 floats
}

func main() {
	dispatch := flag.String("dispatch", "", "folder for the Go files that choose between the versions of a kernel")
	flag.Parse()
	if err := writeDispatch(*dispatch); err != nil {
		log.Fatal(err)
	}
	ConstraintExpr("amd64,!noasm")
	for _, i := range []isa{
		{"AVX2", false, YMM, 2},
		{"AVX512", true, ZMM, 1},
	} {
		for _, k := range mapKernels {
			k.generate(i)
		}
		for _, k := range sumKernels {
			k.generate(i)
		}
		axpyRows(i)
		peak(i)
	}
	tileAVX2()
	tileAVX512(false)
	tileAVX512(true)
	transpose16()
	transpose8()
	transpose4()
	dots()
	copyRows()
	splitRows()
	joinRows()
	intTileAVX2()
	intTileVNNI(false)
	intTileVNNI(true)
	codes(false)
	codes(true)
	codesRow(false)
	codesRow(true)
	tileRow()
	tapSums()
	sweep()
	sweepSums()
	Generate()
}

// function begins an assembly function: no stack frame, no calls, pointers that do not escape.
func function(name, signature, doc string) {
	TEXT(name, 4, signature) // 4 is NOSPLIT
	Pragma("noescape")
	Doc(doc)
}
