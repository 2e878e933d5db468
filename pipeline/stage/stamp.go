package stage

import (
	"reflect"

	"github.com/mpqc/mpqc/pipeline/workspace"
)

// Key is everything that decides the result of a stage: the version of its algorithm, the options that it takes, and
// the stamps of what it was given.
type Key struct {
	// Version rises when the algorithm gives another result of the same input. It stands beside the algorithm.
	Version int
	Options []any // structs, nothing else: see package options
	Inputs  []any // stamps, and other values that are JSON
}

// Stamp identifies a result by its key. A field of an option that is at its zero value, or points to one, is left out,
// so that a new option leaves the stamps of older programs valid; so is a field with the tag stamp:"-".
func (k Key) Stamp() (string, error) {
	parts := []any{k.Version}
	for _, o := range k.Options {
		parts = append(parts, fields(reflect.ValueOf(o)))
	}
	return workspace.Fingerprint(append(parts, k.Inputs...)...)
}

// fields are the names and values of the fields of a struct and of its embedded parts that decide results.
func fields(v reflect.Value) []any {
	out := []any{}
	for i := range v.NumField() {
		t, f := v.Type().Field(i), v.Field(i)
		for f.Kind() == reflect.Pointer && !f.IsNil() {
			f = f.Elem()
		}
		switch {
		case t.Anonymous:
			out = append(out, fields(f)...)
		case t.Tag.Get("stamp") == "-" || f.IsZero():
		case f.Kind() == reflect.Slice && f.Len() == 0:
		default:
			out = append(out, t.Name, f.Interface())
		}
	}
	return out
}
