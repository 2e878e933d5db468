//go:build unix

package file

import "golang.org/x/sys/unix"

// Flags of open. nonblock keeps it from waiting for the other end of a pipe that took a file's place; nofollow makes it fail
// on a symbolic link.
const (
	nonblock = unix.O_NONBLOCK | unix.O_NOCTTY
	nofollow = unix.O_NOFOLLOW | unix.O_NONBLOCK
)
