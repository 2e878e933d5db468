//go:build !unix && !windows

package file

import (
	"errors"
	"os"
)

// lockFile returns errors.ErrUnsupported: this system has no locks that mpqc knows.
func lockFile(*os.File) error { return errors.ErrUnsupported }
