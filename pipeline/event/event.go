// Package event reports the progress of a run to people: the stages of the pipeline, and how far each is.
package event

import "time"

// Stage is the name of a part of the pipeline in the manifest and in events.
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

// StageData names the reading of the data in events. It has no artifact of its own.
const StageData Stage = "data"

// Kind says what an Event reports.
type Kind int

// Kinds of events.
const (
	// Start opens a stage.
	Start Kind = iota
	// Progress moves a stage's bar to Done of Total; Total is 0 if unknown.
	Progress
	// Message is a line worth keeping.
	Message
	// Warning is a line that the user should act on.
	Warning
	// Done closes a stage after Elapsed.
	Done
)

// Event is one step of progress, sent during a run. It is for people: nothing depends on it.
type Event struct {
	Stage   Stage
	Kind    Kind
	Subject string // what the stage works on, such as a target; may be empty
	Text    string
	Done    int64
	Total   int64
	From    int64         // part of Done from an earlier run, which Elapsed does not include
	Elapsed time.Duration // since the stage began; of progress, since its part began
}

// Sink takes events, one at a time. A nil Sink drops them.
type Sink func(Event)

// Reporter sends the events of one stage with the elapsed time.
type Reporter struct {
	From int64 // progress of an earlier run

	sink    Sink
	stage   Stage
	subject string
	began   time.Time
	counted time.Time // begin of the present part
}

// Start opens a stage. subject, such as a target, may be empty.
func (s Sink) Start(stage Stage, subject, text string) *Reporter {
	r := &Reporter{sink: s, stage: stage, subject: subject, began: time.Now()}
	r.counted = r.began
	r.send(Event{Kind: Start, Text: text})
	return r
}

// send completes an event and passes it to the sink.
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

// Progress reports that done of total is done; total is 0 if unknown.
func (r *Reporter) Progress(done, total int64, text string) {
	r.send(Event{Kind: Progress, Done: done, Total: total, From: r.From, Text: text})
}

// Counter returns a function that reports progress out of total, without text.
func (r *Reporter) Counter(total int) func(done int) {
	return func(done int) { r.Progress(int64(done), int64(total), "") }
}

// Next begins another part of the stage, whose progress starts at 0.
func (r *Reporter) Next(text string) {
	r.counted, r.From = time.Now(), 0
	r.Message(text)
}

// Message reports a line worth keeping.
func (r *Reporter) Message(text string) { r.send(Event{Kind: Message, Text: text}) }

// Warning reports a line that the user should act on.
func (r *Reporter) Warning(text string) { r.send(Event{Kind: Warning, Text: text}) }

// Elapsed is the time since the stage was opened.
func (r *Reporter) Elapsed() time.Duration { return time.Since(r.began) }

// Done closes the stage and returns its seconds.
func (r *Reporter) Done(text string) float64 {
	r.send(Event{Kind: Done, Text: text})
	return r.Elapsed().Seconds()
}
