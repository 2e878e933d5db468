package cmd

import (
	"reflect"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
)

// whole are the flags whose values hold commas of their own.
var whole = []string{"target", "pin", "cap"}

// bind reads the flags that options name, but for some that mean something else in this command, and the sizes, widths
// and preprocessing that are written in a form of their own.
func bind(c *cli.Context, o *pipeline.Options, except ...string) error {
	if c.Bool("quiet") && c.Bool("verbose") {
		return usagef("--quiet and --verbose exclude each other")
	}
	o.Bind(func(flag string, kind reflect.Type) (any, bool) {
		if !c.IsSet(flag) || slices.Contains(except, flag) {
			return nil, false
		}
		return flagValue(c, flag, kind)
	})
	if err := bitFlags(c, o); err != nil {
		return err
	}
	var err error
	if o.MaxMemory, err = bytesOf("max-memory", c.String("max-memory")); err != nil {
		return err
	}
	return preprocessing(c, o)
}

// flagValue is the value of a flag, as the type of its option.
func flagValue(c *cli.Context, flag string, kind reflect.Type) (any, bool) {
	switch kind {
	case reflect.TypeFor[string]():
		return c.String(flag), true
	case reflect.TypeFor[bool]():
		return c.Bool(flag), true
	case reflect.TypeFor[int]():
		return c.Int(flag), true
	case reflect.TypeFor[uint64]():
		return c.Uint64(flag), true
	case reflect.TypeFor[float64]():
		return c.Float64(flag), true
	case reflect.TypeFor[time.Duration]():
		return c.Duration(flag), true
	case reflect.TypeFor[[]string]():
		values := c.StringSlice(flag)
		if values == nil {
			values = []string{c.String(flag)}
		}
		if !slices.Contains(whole, flag) {
			values = list(values)
		}
		return values, true
	}
	return nil, false // lists of widths: see bitFlags
}

// bitFlags reads --bits, --weight-bits and --activation-bits.
func bitFlags(c *cli.Context, o *pipeline.Options) error {
	if c.String("bits") == "float" {
		if c.IsSet("weight-bits") || c.IsSet("activation-bits") {
			return usagef("--bits excludes --weight-bits and --activation-bits")
		}
		o.Float = true
		return nil
	}
	both, err := ints("bits", c.String("bits"))
	if err != nil {
		return err
	}
	if o.WeightBits, err = ints("weight-bits", c.String("weight-bits")); err != nil {
		return err
	}
	if o.ActivationBits, err = ints("activation-bits", c.String("activation-bits")); err != nil {
		return err
	}
	if len(both) > 0 && (len(o.WeightBits) > 0 || len(o.ActivationBits) > 0) {
		return usagef("--bits excludes --weight-bits and --activation-bits")
	}
	if len(both) > 0 {
		o.WeightBits, o.ActivationBits = both, both
	}
	return nil
}
