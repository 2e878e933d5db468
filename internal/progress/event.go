package progress

import "time"

// Kind says what an Event reports. The order is that of the kinds of pipeline/event, so that they convert by number.
type Kind int

// Kinds of events.
const (
	Start    Kind = iota // a stage begins
	Step                 // its bar moves to Done of Total
	Message              // a line worth keeping
	Warning              // a line that the user should act on; shown even when quiet
	Finished             // the stage ended after Elapsed
)

// Event is one step of progress.
type Event struct {
	Name    string // stage and what it works on, "train" or "search 4.0bit"
	Kind    Kind
	Text    string
	Done    int64
	Total   int64         // 0: unknown
	From    int64         // what of Done came before the stage began, from an earlier run
	Elapsed time.Duration // since the stage began
}
