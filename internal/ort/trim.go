//go:build linux && cgo

package ort

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
static int trim(void) { malloc_trim(0); return 1; }
#else
static int trim(void) { return 0; }
#endif
*/
import "C"

// ReleaseMemory gives the system back what onnxruntime has freed and the C library keeps for later, so that the next
// session's memory can be told from what was in use before. It reports whether the C library can do that.
func ReleaseMemory() bool { return C.trim() == 1 }
