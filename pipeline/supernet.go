package pipeline

import (
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

const supernetFile = "supernet.safetensors"

// openSupernet reads supernet.safetensors and the codes that were chosen for it; what is used is always what the files hold.
func (j *job) openSupernet() error {
	s, sum, err := j.loadSupernet()
	if err != nil {
		return err
	}
	if err := j.take(s, sum); err != nil {
		return err
	}
	if j.compensates() && !j.rounded(sum) { // compress was interrupted, or is of before this stage
		j.o.Events.Start(event.StageRound, "", "").Warning("no codes were chosen for these weights yet, so they are rounded to the nearest: mpqc compress chooses some")
	}
	return nil
}

// loadSupernet reads supernet.safetensors, and its hash. What was trained is never made anew unasked; what was only calibrated is what
// training would have started from.
func (j *job) loadSupernet() (s *quantize.Supernet, sum string, err error) {
	s, err = j.loadArrays(supernetFile)
	if damaged(err) {
		if j.trained() {
			return nil, "", j.refuse(err)
		}
		if _, err = j.anew(err, event.StageTrain); err != nil {
			return nil, "", err
		}
		j.w.Fix(supernetFile)
		if err = j.saveArrays(supernetFile, j.supernet); err == nil {
			s, err = j.loadArrays(supernetFile)
		}
	}
	if err != nil {
		return nil, "", j.refuse(err)
	}
	sum, err = j.w.Sum(supernetFile)
	return s, sum, err
}

// take makes a supernet with a hash, and the codes that were chosen for it, those of the job.
func (j *job) take(s *quantize.Supernet, sum string) error {
	s, codes, err := j.withCodes(s, sum)
	if err != nil {
		return err
	}
	j.supernet, j.print = s, sum[:16]
	if codes != "" {
		j.print, err = workspace.Fingerprint(sum, codes)
	}
	return err
}

// supernetPrint identifies the supernet that results share.
func (j *job) supernetPrint() string { return j.print }

// overlaid is the supernet with what a file of a target holds in its place: re-estimated norms, or all that polish trained.
func (j *job) overlaid(file string) (*quantize.Supernet, error) {
	own, err := j.loadArrays(file)
	if err != nil {
		return nil, err
	}
	return j.supernet.Over(own), nil
}
