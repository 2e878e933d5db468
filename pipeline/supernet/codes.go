package supernet

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/rounding"
)

// Compensates reports whether weights of the supernet are to make up for each other's rounding.
func Compensates(c *calibration.Calibrated, r options.RoundingOptions) bool {
	return r.Rounding != options.RoundingNearest && !c.Network.Widths.Float
}

// RoundingKey is what decides the codes that this program chooses for the supernet with a hash.
func RoundingKey(sum string) stage.Key {
	return stage.Key{Version: rounding.Version, Inputs: []any{sum}}
}

// rounded reports whether codes were chosen for the supernet with a hash.
func rounded(e *stage.Env, sum string) bool {
	state := e.Workspace.Manifest.Stages[string(event.StageRound)]
	return state.Done && state.Note == sum
}

// withCodes adds the codes that were chosen for the supernet with a hash, which are read unless they are given. A
// supernet of before this stage has none, and one that is to be rounded to the nearest leaves them. It returns the hash
// of their file. Whichever program chose them and with what samples: files were exported with them.
func withCodes(e *stage.Env, c *calibration.Calibrated, s *quantize.Supernet, sum string, r options.RoundingOptions, codes *quantize.Supernet) (*quantize.Supernet, string, error) {
	if !Compensates(c, r) || !rounded(e, sum) {
		return s, "", nil
	}
	var err error
	if codes == nil {
		codes, err = e.LoadArrays(stage.CodesFile)
	}
	switch {
	case stage.Damaged(err):
		return nil, "", e.Refuse(err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", fmt.Errorf("%w; mpqc compress chooses these codes anew", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, "", err
	case err == nil:
		err = c.Plan.CheckCodes(codes)
	}
	if err != nil {
		return nil, "", unusable(e, err, sum)
	}
	hash, err := e.Workspace.Sum(stage.CodesFile)
	return s.Over(codes), hash, err
}

// unusable is the error of codes that cannot be used: of an earlier program, which had other ones, or damaged.
func unusable(e *stage.Env, err error, sum string) error {
	path := e.Workspace.Path(stage.CodesFile)
	if stamp, failed := RoundingKey(sum).Stamp(); failed == nil && e.Stamp(event.StageRound) != stamp {
		return fmt.Errorf("%w: the codes in %s were chosen by an earlier mpqc (%w); mpqc compress chooses them anew", options.ErrUsage, path, err)
	}
	return fmt.Errorf("%s is damaged: %w; remove it, and mpqc compress chooses these codes anew", path, err)
}
