// Package event tells people what a run is at: the stages of the pipeline, and their progress.
package event

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

// Kind says what an Event reports.
type Kind int

// Kinds of events.
const (
	// Start opens a stage.
	Start Kind = iota
	// Progress moves a stage's bar: Done of Total, Total 0 where it is unknown.
	Progress
	// Message is a line worth keeping.
	Message
	// Warning is a line that the user should act on.
	Warning
	// Done closes a stage after Elapsed.
	Done
)

// Event is one step of progress, sent while Run works. It is for people: nothing depends on it.
type Event struct {
	Stage   Stage
	Kind    Kind
	Subject string // what the stage works on, such as a target; may be empty
	Text    string
	Done    int64
	Total   int64
	From    int64         // what of Done an earlier run did, outside Elapsed
	Elapsed time.Duration // since the stage began; of progress, since its part did
}

// Sink takes events, one at a time. A nil Sink drops them.
type Sink func(Event)

// Reporter sends the events of one stage with its elapsed time.
type Reporter struct {
	From int64 // progress that an earlier run made

	sink    Sink
	stage   Stage
	subject string
	began   time.Time
	counted time.Time // since when progress is
}

// Start opens a stage on a subject, such as a target, which may be empty.
func (s Sink) Start(stage Stage, subject, text string) *Reporter {
	r := &Reporter{sink: s, stage: stage, subject: subject, began: time.Now()}
	r.counted = r.began
	r.send(Event{Kind: Start, Text: text})
	return r
}

func (r *Reporter) send(e Event) {
	if r.sink == nil {
		return
	}
	e.Stage, e.Subject, e.Elapsed = r.stage, r.subject, r.Elapsed()
	if e.Kind == Progress {
		e.Elapsed = time.Since(r.counted)
	}
	r.sink(e)
}

// Progress says that so much of total is done; total 0: nobody knows of how much.
func (r *Reporter) Progress(done, total int64, text string) {
	r.send(Event{Kind: Progress, Done: done, Total: total, From: r.From, Text: text})
}

// Counter is Progress of so many in total, without text.
func (r *Reporter) Counter(total int) func(done int) {
	return func(done int) { r.Progress(int64(done), int64(total), "") }
}

// Next begins another part of the stage, whose progress counts from here.
func (r *Reporter) Next(text string) {
	r.counted, r.From = time.Now(), 0
	r.Message(text)
}

// Message says what is worth keeping.
func (r *Reporter) Message(text string) { r.send(Event{Kind: Message, Text: text}) }

// Warning says what the user should act on.
func (r *Reporter) Warning(text string) { r.send(Event{Kind: Warning, Text: text}) }

// Elapsed is the time since the stage was opened.
func (r *Reporter) Elapsed() time.Duration { return time.Since(r.began) }

// Done closes the stage, and returns the seconds that it took.
func (r *Reporter) Done(text string) float64 {
	r.send(Event{Kind: Done, Text: text})
	return r.Elapsed().Seconds()
}
