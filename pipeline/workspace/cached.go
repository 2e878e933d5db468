package workspace

import (
	"errors"

	"github.com/mpqc/mpqc/quantize"
)

// entry stores a measured value under the key of what decided it.
type entry[T any] struct {
	Key   string `json:"key"`
	Value T      `json:"value"`
}

// Check checks the value.
func (e *entry[T]) Check(plan *quantize.Plan) error {
	if d, ok := any(&e.Value).(Document); ok {
		return d.Check(plan)
	}
	return nil
}

// Cached returns the value stored in a file of the workspace under key. If there is none, it measures the value and
// stores it. A file that cannot be read is measured again; warn is called if it is damaged.
func Cached[T any, P interface {
	*T
	Document
}](w *Workspace, name, key string, plan *quantize.Plan, warn func(error), measure func() (T, error)) (T, error) {
	var e entry[T]
	err := w.ReadJSON(name, plan, &e)
	if err == nil && e.Key == key {
		return e.Value, nil
	}
	if damage := (*DamageError)(nil); errors.As(err, &damage) {
		warn(damage)
	}
	if e.Value, err = measure(); err != nil {
		return e.Value, err
	}
	e.Key = key
	return e.Value, w.WriteJSON(name, e)
}
