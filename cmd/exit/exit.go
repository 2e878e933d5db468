// Package exit holds what the program tells its caller when it ends.
package exit

// Exit codes of the program.
const (
	Done        = 0
	Failed      = 1
	Usage       = 2 // of the command line
	Infeasible  = 3 // no policy meets the target
	Mismatch    = 4 // an exported file does not compute what the simulation does
	Interrupted = 130
)
