package workspace

import (
	"errors"

	"github.com/mpqc/mpqc/quantize"
)

// entry is a measured value in a file, under what decided it.
type entry[T any] struct {
	Key   string `json:"key"`
	Value T      `json:"value"`
}

// Check asks the value.
func (e *entry[T]) Check(plan *quantize.Plan) error {
	if d, ok := any(&e.Value).(Document); ok {
		return d.Check(plan)
	}
	return nil
}

// Cached returns what is stored in a file of the workspace under key, else measures it and stores it. What cannot be read is measured
// anew; warn is told where it is damaged.
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
