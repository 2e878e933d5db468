package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/rounding"
)

// codesFile holds the codes of the weights of supernet.safetensors at every width, and the step sizes that suit them.
const codesFile = "codes.safetensors"

const (
	// roundingVersion rises when rounding gives other codes of the same supernet.
	roundingVersion = 11
	// roundingBatch is small, since the inputs of all layers are kept.
	roundingBatch = 16
)

// compensates reports whether weights of the supernet are to make up for each other's rounding.
func (j *job) compensates() bool { return j.o.Rounding != options.RoundingNearest && !j.o.Float }

// round is the rounding stage: codes for the weights of the supernet with a hash, which stays as it is. Rounding to the nearest needs none.
func (j *job) round(ctx context.Context, s *quantize.Supernet, sum string) error {
	if !j.compensates() {
		return nil
	}
	stamp, err := roundingStamp(sum)
	if err != nil {
		return err
	}
	if j.w.Finished(event.StageRound, stamp, codesFile) {
		damage := j.loadCodes()
		if !damaged(damage) {
			return nil // withCodes says what else is wrong
		}
		if _, err := j.anew(damage, event.StageRound); err != nil {
			return err
		}
	}
	net, err := j.loaded(j.plan, s)
	if err != nil {
		return err
	}
	indices := j.data.Rounding(*j.o.Seed)
	rep := j.o.Events.Start(event.StageRound, "", fmt.Sprintf("%d pictures", len(indices)))
	source := func(ctx context.Context, yield func([]float32, int) error) error {
		return j.data.Each(ctx, j.data.Train, indices, roundingBatch, func(b pictures.Batch) error { return yield(b.X, b.N) })
	}
	codes, err := rounding.Codes(ctx, net, source, rounding.Options{
		Batch: roundingBatch, Trained: j.trained(), Pool: j.pool, MaxBytes: j.o.MaxMemory,
		Seen: rep.Counter(len(indices)),
		Rounded: func(layers, of int) {
			if layers == 0 {
				rep.Next(fmt.Sprintf("%d layers", of))
			}
			rep.Progress(int64(layers), int64(of), "")
		},
	})
	if err != nil {
		return err
	}
	if err := j.saveArrays(codesFile, codes); err != nil {
		return err
	}
	j.codes = codes
	j.seconds.Round = rep.Done("")
	return j.w.End(event.StageRound, stamp, j.seconds.Round, sum)
}

// roundingStamp is the fingerprint of what this program chooses for the supernet with a hash.
func roundingStamp(hash string) (string, error) { return workspace.Fingerprint(hash, roundingVersion) }

// rounded reports whether codes were chosen for the supernet with a hash.
func (j *job) rounded(hash string) bool {
	state := j.w.Manifest.Stages[string(event.StageRound)]
	return state.Done && state.Note == hash
}

// unusable is the error of codes that cannot be used: of an earlier program, which had other ones, or damaged.
func (j *job) unusable(err error, hash string) error {
	path := j.w.Path(codesFile)
	if stamp, failed := roundingStamp(hash); failed == nil && j.w.Manifest.Stages[string(event.StageRound)].Fingerprint != stamp {
		return fmt.Errorf("%w: the codes in %s were chosen by an earlier mpqc (%w); mpqc compress chooses them anew", ErrUsage, path, err)
	}
	return fmt.Errorf("%s is damaged: %w; remove it, and mpqc compress chooses these codes anew", path, err)
}

// withCodes adds the codes that were chosen for the supernet with a hash; a supernet of before this stage has none, and one that is to be
// rounded to the nearest leaves them. It returns the hash of their file. Whichever program chose them and with what pictures: files were
// exported with them.
func (j *job) withCodes(s *quantize.Supernet, hash string) (*quantize.Supernet, string, error) {
	if !j.compensates() || !j.rounded(hash) {
		return s, "", nil
	}
	err := j.loadCodes()
	switch {
	case damaged(err):
		return nil, "", j.refuse(err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", fmt.Errorf("%w; mpqc compress chooses these codes anew", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, "", err
	case err == nil:
		err = j.plan.CheckCodes(j.codes)
	}
	if err != nil {
		return nil, "", j.unusable(err, hash)
	}
	sum, err := j.w.Sum(codesFile)
	return s.Over(j.codes), sum, err
}

// loadCodes reads the codes, once.
func (j *job) loadCodes() (err error) {
	if j.codes == nil {
		j.codes, err = j.loadArrays(codesFile)
	}
	return err
}
