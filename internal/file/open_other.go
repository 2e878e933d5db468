//go:build !unix

package file

// Flags of open. nonblock keeps it from waiting for the other end of a pipe. nofollow makes it fail on a symbolic link.
// Both are 0 on systems without them, where openLock looks for links before and after.
const (
	nonblock = 0
	nofollow = 0
)
