package engine

import (
	"syscall"
	"unsafe"
)

// hugePages asks for large pages behind a large arena: a step walks through all of it many times, and with pages of 4 KiB the
// processor then waits for page tables. A system that has none to give goes on with small ones.
func hugePages(s []float32) {
	const (
		advice = 14 // MADV_HUGEPAGE
		page   = 2 << 20
	)
	at := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	from := (at + page - 1) / page * page
	if to := (at + uintptr(4*len(s))) / page * page; to > from {
		b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), 4*len(s))
		_ = syscall.Madvise(b[from-at:to-at], advice) // an answer changes nothing
	}
}
