// Package cpumask makes a copy of a shared library that takes the processor for one without AVX-512, so that tests see
// the kernels of x86 CPUs without VNNI on any machine.
//
// A library asks XGETBV whether the system saves AVX-512 registers, and uses none of their instructions if it does not
// (Intel SDM volume 1, section 15.2). In the copy these instructions are replaced by two that load what a system
// says that saves AVX registers alone.
package cpumask

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"slices"
)

// xgetbv is the instruction; avxOnly has as many bytes: push 7 (x87, SSE and AVX state); pop rax.
var (
	xgetbv  = []byte{0x0f, 0x01, 0xd0}
	avxOnly = []byte{0x6a, 0x07, 0x58}
)

// zeroECX are the ways in which compilers choose register 0 in front of it: xor ecx,ecx and mov ecx,0. Without one
// nearby the bytes are part of something else.
var zeroECX = [][]byte{{0x31, 0xc9}, {0x33, 0xc9}, {0xb9, 0, 0, 0, 0}}

// window is how far in front of XGETBV register 0 is chosen, in bytes.
const window = 24

// Mask writes a copy of the ELF library at src to dst and returns at how many places it is masked. A library without
// any is an error, since the copy would be the original. A masked library may be masked again.
func Mask(src, dst string) (int, error) {
	data, err := os.ReadFile(src)
	if err != nil {
		return 0, err
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", src, err)
	}
	changed := 0
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			changed += maskCode(data[p.Off : p.Off+p.Filesz])
		}
	}
	if changed == 0 {
		return 0, fmt.Errorf("%s asks nowhere which registers the system saves", src)
	}
	return changed, os.WriteFile(dst, data, 0o755) //nolint:gosec // a library is executable
}

// maskCode changes machine code in place and returns at how many places it is masked.
func maskCode(code []byte) int {
	masked := 0
	for _, instruction := range [][]byte{avxOnly, xgetbv} {
		for at := 0; ; at += len(instruction) {
			next := bytes.Index(code[at:], instruction)
			if next < 0 {
				break
			}
			at += next
			before := code[max(0, at-window):at]
			if slices.ContainsFunc(zeroECX, func(zero []byte) bool { return bytes.Contains(before, zero) }) {
				copy(code[at:], avxOnly)
				masked++
			}
		}
	}
	return masked
}
