package pipeline

import "time"

// Stage names one part of the pipeline, as the manifest and the events do.
type Stage string

// Stages, in the order they run.
const (
	StageImport    Stage = "import"
	StageCalibrate Stage = "calibrate"
	StageTrain     Stage = "train"
	StageRound     Stage = "round"
	StageSearch    Stage = "search"
	StagePolish    Stage = "polish"
	StageExport    Stage = "export"
	StageVerify    Stage = "verify"
	StageEval      Stage = "eval"
)

// StageData names the reading of pictures in events; it leaves no artifact of its own.
const StageData Stage = "data"

// EventKind says what an Event reports.
type EventKind int

// Kinds of events.
const (
	// EventStart opens a stage.
	EventStart EventKind = iota
	// EventProgress moves a stage's bar: Done of Total, Total 0 where it is unknown.
	EventProgress
	// EventMessage is a line worth keeping.
	EventMessage
	// EventWarning is a line that the user should act on.
	EventWarning
	// EventDone closes a stage after Elapsed.
	EventDone
)

// Event is one step of progress, sent while Run works. It is for people: nothing depends on it.
type Event struct {
	Stage   Stage
	Kind    EventKind
	Subject string // what the stage works on, such as a target; may be empty
	Text    string
	Done    int64
	Total   int64
	From    int64         // what of Done an earlier run did, outside Elapsed
	Elapsed time.Duration // since the stage began
}

// Sink takes events, one at a time. A nil Sink drops them.
type Sink func(Event)

// Report opens a stage, and returns what closes it with a text.
func (s Sink) Report(stage Stage, text string) (done func(text string)) {
	r := s.start(stage, "", text)
	return func(text string) { r.done(text) }
}

// reporter sends the events of one stage with its elapsed time.
type reporter struct {
	sink    Sink
	stage   Stage
	subject string
	began   time.Time
	from    int64 // progress that an earlier run made
}

func (s Sink) start(stage Stage, subject, text string) *reporter {
	r := &reporter{sink: s, stage: stage, subject: subject, began: time.Now()}
	r.send(Event{Kind: EventStart, Text: text})
	return r
}

func (r *reporter) send(e Event) {
	if r.sink == nil {
		return
	}
	e.Stage, e.Subject, e.Elapsed = r.stage, r.subject, time.Since(r.began)
	r.sink(e)
}

func (r *reporter) progress(done, total int64, text string) {
	r.send(Event{Kind: EventProgress, Done: done, Total: total, From: r.from, Text: text})
}

func (r *reporter) message(text string) { r.send(Event{Kind: EventMessage, Text: text}) }

func (r *reporter) warning(text string) { r.send(Event{Kind: EventWarning, Text: text}) }

func (r *reporter) done(text string) float64 {
	r.send(Event{Kind: EventDone, Text: text})
	return time.Since(r.began).Seconds()
}
