package event

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestReporter: events carry their stage and the time since it began, those of progress the time since their part did.
func TestReporter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []Event
		r := Sink(func(e Event) { got = append(got, e) }).Start(StageRound, "3.0bit", "reading")
		r.From = 2
		time.Sleep(time.Second)
		r.Progress(3, 4, "")
		r.Next("writing")
		time.Sleep(time.Second)
		r.Progress(1, 4, "half")
		r.Warning("careful")
		if seconds := r.Done("all"); seconds != 2 {
			t.Errorf("it took %g s", seconds)
		}
		want := []Event{
			{Kind: Start, Text: "reading"},
			{Kind: Progress, Done: 3, Total: 4, From: 2, Elapsed: time.Second},
			{Kind: Message, Text: "writing", Elapsed: time.Second},
			{Kind: Progress, Done: 1, Total: 4, Text: "half", Elapsed: time.Second},
			{Kind: Warning, Text: "careful", Elapsed: 2 * time.Second},
			{Kind: Done, Text: "all", Elapsed: 2 * time.Second},
		}
		if len(got) != len(want) {
			t.Fatalf("%d events", len(got))
		}
		for i, e := range want {
			e.Stage, e.Subject = StageRound, "3.0bit"
			if got[i] != e {
				t.Errorf("event %d is %+v, want %+v", i, got[i], e)
			}
		}
	})
	Sink(nil).Start(StageRound, "", "").Done("") // nobody listens
}
