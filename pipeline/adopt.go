package pipeline

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// adoptData makes the opened pictures those of the workspace. New ones are looked at first: every test picture, and as
// many training pictures as calibration takes. Whatever cannot be used leaves the manifest with the pictures that
// worked.
func (j *job) adoptData(ctx context.Context) error {
	if old := j.w.Manifest.Data; old != nil && old.Stamp == j.data.Stamp {
		old.Path = j.o.Data
		return nil
	}
	if j.w.Manifest.Trained == nil && j.keepsSupernet() { // older programs did not say
		j.w.Manifest.Trained = j.w.Manifest.Data
	}
	if err := j.checkTest(ctx); err != nil {
		return err
	}
	if err := j.checkTrain(ctx); err != nil {
		return err
	}
	j.w.Manifest.Data = &workspace.DataInfo{
		Path: j.o.Data, Fingerprint: j.data.Fingerprint, Stamp: j.data.Stamp, Classes: len(j.data.Test.Classes()),
		Train: j.data.Train.Len(), Test: j.data.Test.Len(),
	}
	return nil
}

// checkTrain reads some training pictures; all of a large data set would take hours.
func (j *job) checkTrain(ctx context.Context) error {
	some := j.data.Some(j.o.CalibrateSamples, "calibrate", *j.o.Seed)
	return j.data.Each(ctx, j.data.Train, some, measurement.Batch, func(pictures.Batch) error { return nil })
}

// warnOther says that numbers of a kept supernet may flatter: what is held out now may have been trained on.
func (j *job) warnOther() {
	trained, now := j.w.Manifest.Trained, j.w.Manifest.Data
	if trained == nil || trained.Fingerprint == now.Fingerprint {
		return
	}
	j.o.Events.Start(event.StageTrain, "", "").Warning(fmt.Sprintf(
		"the supernet was trained on other pictures, %s: test pictures of %s may be among them, which would make accuracies too good; --retrain trains anew",
		trained.Path, now.Path))
}
