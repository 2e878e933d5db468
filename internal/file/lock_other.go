//go:build !unix && !windows

package file

import (
	"errors"
	"os"
)

// lockFile knows no locks here.
func lockFile(*os.File) error { return errors.ErrUnsupported }
