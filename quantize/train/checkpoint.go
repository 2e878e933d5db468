package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/mpqc/mpqc/internal/engine/optim"
	"github.com/mpqc/mpqc/internal/safetensors"
	"github.com/mpqc/mpqc/quantize"
)

// Entries of a checkpoint's metadata.
const (
	stepKey    = "org.mpqc.step"
	widthsKey  = "org.mpqc.widths"
	optionsKey = "org.mpqc.options"
)

// floorPrefix begins the names of arrays that hold the lower bounds of parameters in a checkpoint.
const floorPrefix = "floor."

// ErrDamaged is wrapped by the error of a checkpoint that is not as it was written.
var ErrDamaged = errors.New("the checkpoint is damaged")

// ErrOther is wrapped by the error of a checkpoint of a training with other options.
var ErrOther = errors.New("it was made with other options")

// Before returns the path of the checkpoint before the last one, which Save keeps.
func Before(path string) string {
	const suffix = ".safetensors"
	return strings.TrimSuffix(path, suffix) + ".before" + suffix
}

// Save writes a checkpoint with a checksum: the parameters as a supernet, optimizer state, moving averages, and the
// position in the schedule. The checkpoint before it stays, at Before(path).
//
// If a parameter is not finite, the error is a *DivergedError and the file stays as it was.
func (t *Trainer) Save(path string) error {
	if err := t.poisoned(); err != nil {
		return err
	}
	a, err := t.net.Supernet().Archive()
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	for _, s := range t.state() {
		a.Arrays[s.Name] = quantize.Array{Shape: s.Shape, Data: s.Data}
	}
	widths, err := json.Marshal(t.widths)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	options, err := json.Marshal(t.opts)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	history, err := json.Marshal(t.history)
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	a.Metadata[historyKey] = string(history)
	a.Metadata[stepKey], a.Metadata[widthsKey], a.Metadata[optionsKey] = strconv.Itoa(t.step), string(widths), string(options)
	return a.SaveSealed(path, Before(path))
}

// CheckpointStep reads the number of updates that were done when a checkpoint was made. The error wraps ErrDamaged if
// the file is damaged.
func CheckpointStep(path string) (int, error) {
	a, err := readCheckpoint(path)
	if err != nil {
		return 0, fmt.Errorf("read checkpoint: %w", err)
	}
	return stepOf(a)
}

// readCheckpoint reads the archive of a checkpoint and verifies its checksum. Checkpoints of older programs have none.
func readCheckpoint(path string) (*safetensors.Archive, error) {
	a, err := safetensors.Load(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return a, err
	}
	return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
}

// stepOf reads the number of updates from the metadata of a checkpoint.
func stepOf(a *safetensors.Archive) (int, error) {
	step, err := strconv.Atoi(a.Metadata[stepKey])
	if err != nil || step < 0 {
		return 0, fmt.Errorf("its step %q is no number", a.Metadata[stepKey])
	}
	return step, nil
}

// state lists what a checkpoint holds besides the supernet. The arrays alias the state itself.
func (t *Trainer) state() []optim.Array {
	list := append(slices.Clone(t.sgd.State()), t.adam.State()...)
	if t.ema != nil {
		list = append(list, t.ema.State()...)
	}
	for _, p := range t.params {
		if low := t.floors[p]; low != nil {
			list = append(list, optim.Array{Name: floorPrefix + p.Name, Shape: p.Shape, Data: low})
		}
	}
	return list
}

// Resume continues from a checkpoint of the same network and options. The results are the same, to the byte, as without
// the interruption.
//
// The error wraps ErrDamaged if the file is damaged. The trainer is then unusable until another checkpoint is resumed.
func (t *Trainer) Resume(path string) error {
	a, err := readCheckpoint(path)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	if err := t.resume(a); err != nil {
		return fmt.Errorf("resume from %s: %w", path, err)
	}
	return nil
}

// resume is Resume for an archive in memory.
func (t *Trainer) resume(a *safetensors.Archive) error {
	options, err := json.Marshal(t.opts)
	if err != nil {
		return err
	}
	if got := a.Metadata[optionsKey]; got != string(options) {
		return fmt.Errorf("%w: %s, now %s", ErrOther, got, options)
	}
	if err := t.take(a); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// take checks everything in a checkpoint, then adopts its state.
func (t *Trainer) take(a *safetensors.Archive) error {
	step, err := stepOf(a)
	if err != nil {
		return err
	}
	if step > t.opts.Steps {
		return fmt.Errorf("it was made after %d of %d steps", step, t.opts.Steps)
	}
	var widths [][]int
	if err := json.Unmarshal([]byte(a.Metadata[widthsKey]), &widths); err != nil {
		return fmt.Errorf("its widths: %w", err)
	}
	if err := t.allowed(widths); err != nil {
		return err
	}
	for name, array := range a.Arrays {
		if array.Codes != nil { // nothing trains with codes
			return fmt.Errorf("array %q is none of a checkpoint", name)
		}
	}
	state := t.state()
	for _, s := range state {
		if len(a.Arrays[s.Name].Data) != len(s.Data) {
			return fmt.Errorf("array %q has %d elements, %d wanted", s.Name, len(a.Arrays[s.Name].Data), len(s.Data))
		}
	}
	s, err := quantize.SupernetOf(a)
	if err != nil {
		return err
	}
	if err := t.net.Load(s); err != nil {
		return err
	}
	if err := t.history.restore(a.Metadata[historyKey]); err != nil {
		return err
	}
	for _, s := range state {
		copy(s.Data, a.Arrays[s.Name].Data)
	}
	t.step, t.widths = step, widths
	return nil
}

// allowed is an error unless the lists of widths are non-empty selections of the candidates of each layer.
func (t *Trainer) allowed(widths [][]int) error {
	if len(widths) != len(t.widths) {
		return fmt.Errorf("it has %d layers, %d wanted", len(widths), len(t.widths))
	}
	for i, list := range widths {
		from := t.net.Plan.Layers[i].Candidates
		if len(list) == 0 {
			return fmt.Errorf("layer %q has no widths", t.net.Plan.Layers[i].Node)
		}
		for _, b := range list {
			if !slices.Contains(from, b) {
				return fmt.Errorf("layer %q: %d bits are not among %v", t.net.Plan.Layers[i].Node, b, from)
			}
		}
	}
	return nil
}
