package engine

import (
	"syscall"
	"unsafe"
)

// hugePages asks for large pages for a large arena. A step passes over all of it many times; with pages of 4 KiB the
// processor would wait for page tables. A system without large pages continues with small ones.
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
