// Package exit holds the exit codes of the program.
package exit

// Exit codes of the program.
const (
	Done        = 0
	Failed      = 1   // for any other reason
	Usage       = 2   // the command line is wrong
	Infeasible  = 3   // no policy meets the target
	Mismatch    = 4   // an exported file does not compute what the simulation does
	Interrupted = 130 // 128 + SIGINT
)
