//go:build !unix

package file

// Flags of open, which has none of these here: openLock looks for links before and after.
const (
	nonblock = 0
	nofollow = 0
)
