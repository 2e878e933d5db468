package stage

import (
	"errors"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// TestRemedy: every artifact has a way to come back, and what was trained is never made anew unasked.
func TestRemedy(t *testing.T) {
	var said []string
	e := newEnv(t, &said)
	for _, tt := range []struct{ artifact, calibrated, trained string }{
		{SupernetFile, "mpqc compress makes it anew", "--retrain"},
		{CodesFile, "remove it", "remove it"},
		{FloatFile, "mpqc import MODEL", "mpqc import MODEL"},
		{FloatFile + ".data", "mpqc import MODEL", "mpqc import MODEL"},
		{ImportFile, "mpqc import MODEL", "mpqc import MODEL"},
		{StartFile, "mpqc compress makes it anew", "mpqc compress makes it anew"},
		{"search/3.0bit.json", "mpqc search --target 3.0bit", "mpqc search --target 3.0bit"},
		{"search/3.0bit.norms.free.safetensors", "mpqc search --target 3.0bit", "mpqc search --target 3.0bit"},
		{"search/3.0bit" + TunedSuffix, "--target 3.0bit --polish", "--target 3.0bit --polish"},
		{"search/policy-mine.json", "--policy FILE", "--policy FILE"},
		{"out/net-3.0bit.trt.json", "mpqc export --profile trt", "mpqc export --profile trt"},
		{"out/net-3.0bit.ort.packed.json", "mpqc export --profile ort", "mpqc export --profile ort"},
		{CoreFile, "mpqc compress makes it anew", "mpqc compress makes it anew"},
		{TrainingFile, "mpqc compress makes it anew", "mpqc compress makes it anew"},
		{GuidesFile, "mpqc compress makes it anew", "mpqc compress makes it anew"},
		{SurveyFile, "mpqc compress makes it anew", "mpqc compress makes it anew"},
		{"scores/float.safetensors", "mpqc compress makes it anew", "mpqc compress makes it anew"},
	} {
		for note, want := range map[string]string{PostTraining: tt.calibrated, "": tt.trained} {
			e.Workspace.Manifest.Stages[string(event.StageTrain)] = workspace.StageState{Done: true, Note: note}
			err := e.Refuse(&workspace.DamageError{Path: "w/" + tt.artifact, Name: tt.artifact, Err: errors.New("bad")})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), tt.artifact) {
				t.Errorf("%s, note %q: %v, want %q", tt.artifact, note, err, want)
			}
		}
	}
}

// TestRefuse: a remedy that is known stays, and other errors stay as they are.
func TestRefuse(t *testing.T) {
	var said []string
	e := newEnv(t, &said)
	known := &workspace.DamageError{Path: "x", Name: "x", Err: errors.New("bad"), Remedy: "wait"}
	if err := e.Refuse(known); !errors.Is(err, known) || !strings.HasSuffix(err.Error(), "; wait") {
		t.Errorf("error %v", err)
	}
	other := errors.New("other")
	if err := e.Refuse(other); !errors.Is(err, other) || err.Error() != "other" || e.Refuse(nil) != nil {
		t.Errorf("error %v", err)
	}
	changed := &workspace.DamageError{Path: "x", Name: StartFile, Err: workspace.ErrChanged}
	if err := e.Refuse(changed); !strings.Contains(err.Error(), "--retrain") {
		t.Errorf("what a kept supernet was trained from: %v", err)
	}
	e.Workspace.Manifest.Options.Float = true
	if err := e.Refuse(&workspace.DamageError{Path: "x", Name: "search/float.norms.safetensors", Err: errors.New("bad")}); !strings.Contains(err.Error(), "mpqc compress makes") {
		t.Errorf("of a float run: %v", err)
	}
}

// TestAnew: what is damaged is made anew where something may be written, and said; other errors come back.
func TestAnew(t *testing.T) {
	var said []string
	e := newEnv(t, &said)
	damage := &workspace.DamageError{Path: "w/front.json", Name: GuidesFile, Err: errors.New("bad")}
	if again, err := e.Anew(damage, event.StageTrain); !again || err != nil || len(said) != 1 {
		t.Errorf("%v, %v, said %q", again, err, said)
	}
	other := errors.New("other")
	if again, err := e.Anew(other, event.StageTrain); again || !errors.Is(err, other) {
		t.Errorf("%v, %v", again, err)
	}
	if again, err := e.Anew(nil, event.StageTrain); again || err != nil {
		t.Errorf("%v, %v", again, err)
	}
	e.Workspace.ReadOnly = true
	if again, err := e.Anew(damage, event.StageTrain); again || !Damaged(err) {
		t.Errorf("read-only: %v, %v", again, err)
	}
}

// TestCheckOrphan: a supernet that the manifest knows nothing of is not trained over unasked.
func TestCheckOrphan(t *testing.T) {
	var said []string
	e := newEnv(t, &said)
	if err := e.CheckOrphan(false); err != nil {
		t.Errorf("without a supernet: %v", err)
	}
	if err := e.Workspace.Write(SupernetFile, []byte("s")); err != nil {
		t.Fatal(err)
	}
	if err := e.CheckOrphan(false); err != nil {
		t.Errorf("on record: %v", err)
	}
	delete(e.Workspace.Manifest.Artifacts, SupernetFile)
	if e.CheckOrphan(false) == nil || e.CheckOrphan(true) != nil {
		t.Error("not on record: it is to be kept, unless training anew is asked for")
	}
}
