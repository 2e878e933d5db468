//go:build unix

package file

import "golang.org/x/sys/unix"

// Flags of open. nonblock keeps it from waiting for the other end of a pipe. nofollow makes it fail on a symbolic link.
// Both are 0 on systems without them, where openLock looks for links before and after.
const (
	nonblock = unix.O_NONBLOCK | unix.O_NOCTTY
	nofollow = unix.O_NOFOLLOW | unix.O_NONBLOCK
)
