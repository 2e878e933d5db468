package memory

import (
	"os"
	"runtime/debug"
)

// Resident is the main memory in bytes that this process holds, 0 if the system does not tell.
func Resident() int64 { return status("VmRSS:") }

// Peak is the largest Resident since the process began or since ForgetPeak, 0 if the system does not tell.
func Peak() int64 { return status("VmHWM:") }

// ForgetPeak returns freed memory to the system and restarts Peak. It is false if the system keeps the old peak.
func ForgetPeak() bool {
	debug.FreeOSMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200) == nil // 5: the peak alone, see proc(5)
}

// status reads an entry of /proc/self/status in bytes.
func status(key string) int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // only read
	return kilobytes(f, key)
}
