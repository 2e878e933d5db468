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

// ReleaseMemory returns memory to the system that onnxruntime has freed and the C library keeps. The memory of the next
// session can then be told from what was used before. It is false if the C library cannot do that.
func ReleaseMemory() bool { return C.trim() == 1 }
