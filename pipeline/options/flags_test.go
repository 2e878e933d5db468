package options

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestSpelling: an option has one spelling from flag to JSON. The flags that are short forms are listed.
func TestSpelling(t *testing.T) {
	short := map[string]string{
		"batch": "batch-size", "lr": "learning-rate", "outputs": "output-kinds", "profile": "profiles", "samples": "verify-samples",
	}
	var seen []string
	var walk func(reflect.Type)
	walk = func(s reflect.Type) {
		for i := range s.NumField() {
			f := s.Field(i)
			if f.Anonymous {
				walk(f.Type)
				continue
			}
			flag, has := f.Tag.Lookup("flag")
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !has || name == "-" {
				continue
			}
			seen = append(seen, flag)
			if long, known := short[flag]; known {
				flag = long
			}
			if want := strings.ReplaceAll(flag, "-", "_"); name != want {
				t.Errorf("%s: --%s is %q in JSON, want %q", f.Name, f.Tag.Get("flag"), name, want)
			}
			if want := strings.ReplaceAll(flag, "-", ""); !strings.EqualFold(f.Name, want) {
				t.Errorf("--%s is the field %s", flag, f.Name)
			}
		}
	}
	walk(reflect.TypeFor[Options]())
	for flag := range short {
		if !slices.Contains(seen, flag) {
			t.Errorf("--%s is no flag of an option any more", flag)
		}
	}
}

// TestBind sets what is stated, and nothing else.
func TestBind(t *testing.T) {
	stated := map[string]any{"epochs": 0.0, "paths": 6, "target": []string{"4.0bit"}, "no-ema": true}
	var o Options
	o.Bind(func(flag string, kind reflect.Type) (any, bool) {
		v, ok := stated[flag]
		if ok && reflect.TypeOf(v) != kind {
			t.Errorf("--%s is asked for as %s", flag, kind)
		}
		return v, ok
	})
	if o.Epochs == nil || *o.Epochs != 0 || o.Paths != 6 || len(o.Targets) != 1 || o.NoEMA == nil || !*o.NoEMA {
		t.Errorf("%+v", o)
	}
	if o.Polish != nil || o.NoKD != nil || o.Seed != nil || o.BatchSize != 0 {
		t.Errorf("something is stated that was not: %+v", o)
	}
}
