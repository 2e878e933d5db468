package options

import "reflect"

// inherit returns o with every field that it does not state taken from base. A plain bool cannot be told from one that
// is not stated and stays as it is. A number of epochs replaces a time limit of base, and the other way round.
func (o Options) inherit(base Options) Options {
	if o.Time != 0 {
		base.Epochs = o.Epochs
	} else if o.Epochs != nil {
		base.Time = 0
	}
	inherit(reflect.ValueOf(&o).Elem(), reflect.ValueOf(base))
	return o
}

// inherit sets the fields of a struct and of its embedded parts that are not stated.
func inherit(v, base reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case v.Type().Field(i).Anonymous:
			inherit(f, base.Field(i))
		case f.Kind() == reflect.Struct || f.Kind() == reflect.Bool || f.Kind() == reflect.Func:
		case f.Kind() == reflect.Slice && f.Len() == 0, f.IsZero():
			f.Set(base.Field(i))
		}
	}
}
