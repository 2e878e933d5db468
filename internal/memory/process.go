package memory

import (
	"os"
	"runtime/debug"
)

// Resident is the main memory in bytes that this process holds, 0 where the system does not say.
func Resident() int64 { return status("VmRSS:") }

// Peak is the most that Resident was since the process began, or since ForgetPeak; 0 where the system does not say.
func Peak() int64 { return status("VmHWM:") }

// ForgetPeak gives freed memory back and lets Peak begin anew, so that what was before is no part of what is measured afterwards.
// It is false where the system keeps the old peak.
func ForgetPeak() bool {
	debug.FreeOSMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200) == nil // 5: the peak alone, see proc(5)
}

func status(key string) int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // only read
	return kilobytes(f, key)
}
