package pipeline

import (
	"reflect"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/delivery"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/finetune"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/selection"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/pipeline/training"
	"github.com/mpqc/mpqc/quantize"
)

// stamps are those of all stages for resolved options, each with the stamps of the stages that it stands on, as a run
// makes them.
func stamps(t *testing.T, c call) map[string]string {
	t.Helper()
	out := map[string]string{}
	stamp := func(name string, k stage.Key) string {
		s, err := k.Stamp()
		if err != nil {
			t.Fatal(err)
		}
		out[name] = s
		return s
	}
	e := &stage.Env{Machine: c.MachineOptions, Seed: *c.Seed}
	profile := export.Named(c.Profiles[0])
	net := stamp("import", network.Key("hash", c.WidthOptions, c.ConvOutputs))
	splits := stamp("data", samples.Key("files", true, c.ModelOptions, c.DataOptions, e.Seed))
	cal := stamp("calibrate", calibration.Key(net, splits, nil, c.CalibrationOptions, c.WidthOptions, e.Seed))
	stamp("guides", training.GuideKey(cal, e.Seed))
	sup := stamp("train", training.Key(cal, c.TrainingOptions, nil, e.Seed))
	if c.Rounding != options.RoundingNearest {
		sup += stamp("round", supernet.RoundingKey(sup))
	}
	o := selection.Options{SearchOptions: c.SearchOptions, Profile: profile}
	stamp("sensitivities", selection.ScoreKey(e, sup, splits, profile, c.ScoreOptions))
	stamp("search", selection.Key(e, sup, splits, "4.0bit", o))
	var p quantize.Policy
	stamp("norms", supernet.NormsKey(sup, p, splits, profile, c.NormOptions))
	stamp("polish", finetune.Key(e, sup, splits, p, c.delivery().Finetune))
	test := &samples.Samples{Stamp: splits}
	stamp("policy", evaluation.PolicyKey(e, test, sup, evaluation.Candidate{Policy: p, Profile: profile}, c.NormOptions))
	stamp("file", delivery.FileKey(e, test, "file", sup, p, c.NormOptions, c.VerifyOptions))
	stamp("float file", delivery.FloatKey(e, test, "file", c.VerifyOptions))
	out["supernet"] = sup
	return out
}

// resolved are options with defaults as a run has them.
func resolved(o Options) call {
	return call{Options: o, stated: o, asked: o.TrainingOptions}
}

// TestStamps: every field of the options changes the stamp of a stage, or says by its tag that it decides no result. A
// value of another stage's options, such as the number of verified samples, leaves the supernet as it is.
func TestStamps(t *testing.T) {
	base := Options{}.WithDefaults()
	before := stamps(t, resolved(base))
	seen := map[string]bool{}
	each(reflect.ValueOf(&base).Elem(), func(part reflect.Type, i int) {
		f := part.Field(i)
		seen[part.Name()+"."+f.Name] = true
		o := base
		v := reflect.ValueOf(&o).Elem().FieldByName(f.Name)
		if f.Name == "Data" || f.Name == "Model" { // promoted from structs of like names
			v = reflect.ValueOf(&o).Elem().FieldByName(part.Name()).FieldByName(f.Name)
		}
		change(t, f.Name, v)
		after := stamps(t, resolved(o))
		changed := !reflect.DeepEqual(before, after)
		if free := f.Tag.Get("stamp") == "-"; changed == free {
			t.Errorf("%s.%s: stamps change is %v, the tag says that it decides results is %v", part.Name(), f.Name, changed, !free)
		}
		trains := part.Name() != "SearchOptions" && part.Name() != "ScoreOptions" && part.Name() != "NormOptions" && part.Name() != "FinetuneOptions" &&
			part.Name() != "ExportOptions" && part.Name() != "VerifyOptions" && part.Name() != "MachineOptions"
		if !trains && before["supernet"] != after["supernet"] {
			t.Errorf("%s.%s: another supernet", part.Name(), f.Name)
		}
	})
	if len(seen) < 40 {
		t.Errorf("%d fields were changed: %v", len(seen), seen)
	}
	o := base
	o.Seed = new(uint64(9))
	if after := stamps(t, resolved(o)); after["train"] == before["train"] || after["data"] == before["data"] {
		t.Error("another seed, the same stamps")
	}
}

// each calls f with the fields of the parts of a struct of options.
func each(v reflect.Value, f func(part reflect.Type, i int)) {
	for i := range v.NumField() {
		if t := v.Type().Field(i); t.Anonymous {
			for k := range t.Type.NumField() {
				if !t.Type.Field(k).Anonymous {
					f(t.Type, k)
				}
			}
			each(v.Field(i), f)
		}
	}
}

// change gives a field another valid value.
func change(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	if name == "Profiles" {
		v.Set(reflect.ValueOf([]string{export.ProfileOpenVINO}))
		return
	}
	if name == "Rounding" {
		v.SetString(options.RoundingNearest)
		return
	}
	if v.Kind() == reflect.Pointer {
		fresh := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			fresh.Elem().Set(v.Elem())
		}
		v.Set(fresh)
		v = fresh.Elem()
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 0.25)
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
	case reflect.Struct:
		v.Field(0).SetString("x")
	default:
		t.Fatalf("%s: a field of kind %s", name, v.Kind())
	}
}

// TestStampsOfNewOptions: a field at its zero value is left out, so that an option that is added leaves old stamps
// valid.
func TestStampsOfNewOptions(t *testing.T) {
	type before struct{ A int }
	type after struct {
		A int
		B *bool
		C []string
		D string `stamp:"-"`
	}
	x, err := stage.Key{Options: []any{before{1}}}.Stamp()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		o    after
		same bool
	}{
		{"not stated", after{A: 1}, true},
		{"stated as nothing", after{A: 1, B: new(bool), C: []string{}}, true},
		{"decides nothing", after{A: 1, D: "d"}, true},
		{"another value", after{A: 2}, false},
		{"stated", after{A: 1, B: new(true)}, false},
		{"listed", after{A: 1, C: []string{"c"}}, false},
	} {
		y, err := stage.Key{Options: []any{tt.o}}.Stamp()
		if err != nil || (x == y) != tt.same {
			t.Errorf("%s: equal is %v, %v", tt.name, x == y, err)
		}
	}
}
