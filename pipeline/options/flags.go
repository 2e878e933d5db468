package options

import (
	"iter"
	"reflect"
)

// flags are the fields that have a flag, by its name, in the order of the structs.
func (o *Options) flags() iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) { flagged(reflect.ValueOf(o).Elem(), yield) }
}

// flagged yields the fields of a struct and of its embedded parts that have a flag. It reports whether to go on.
func flagged(v reflect.Value, yield func(string, reflect.Value) bool) bool {
	for i := range v.NumField() {
		t := v.Type().Field(i)
		flag, has := t.Tag.Lookup("flag")
		switch {
		case t.Anonymous && !flagged(v.Field(i), yield):
			return false
		case has && !yield(flag, v.Field(i)):
			return false
		}
	}
	return true
}

// Bind sets the fields whose flags are stated: get returns the value of a flag, of the type of the field or, for a
// pointer, of what it points to, and false where the flag is not stated.
func (o *Options) Bind(get func(flag string, kind reflect.Type) (value any, stated bool)) {
	for flag, v := range o.flags() {
		kind := v.Type()
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		value, stated := get(flag, kind)
		if !stated {
			continue
		}
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.New(kind))
			v = v.Elem()
		}
		v.Set(reflect.ValueOf(value))
	}
}
