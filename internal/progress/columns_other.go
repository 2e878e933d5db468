//go:build !linux && !darwin

package progress

import "os"

// columns is 0, no terminal: redrawing relies on escape codes that not every console of these systems knows.
func columns(*os.File) int { return 0 }
