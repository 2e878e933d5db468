//go:build !linux && !darwin

package progress

import "os"

// columns is the width of the terminal behind f, 0 if it is none or if its console may not know escape codes.
func columns(*os.File) int { return 0 }
