package cmd

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline/options"
)

// ownSpans are those of numbers that are none of pipeline.Options, and of flags that mean something else to one
// command.
var ownSpans = map[string]options.Span{
	"eval samples":      {High: 1e9}, // 0: all
	"bench steps":       {High: 1e9}, // 0: as many as fit
	"bench seconds":     {Low: 0.001, High: 24 * 3600},
	"bench evaluations": {Low: 1, High: 1e6},
}

// spanOf is what the number of a flag may be. Seeds may be all that their type holds.
func spanOf(c *cli.Command, flag string) (options.Span, bool) {
	if s, own := ownSpans[c.Name+" "+flag]; own {
		return s, true
	}
	return options.SpanOf(flag)
}

// checkStated refuses what no flag can mean, before anything else happens: numbers out of their span, and nothing at
// all.
func checkStated(c *cli.Context) error {
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if !c.IsSet(name) {
			continue
		}
		var v float64
		switch f.(type) {
		case *cli.StringFlag:
			if strings.TrimSpace(c.String(name)) == "" {
				return usagef("--%s: it is empty", name)
			}
			continue
		case *cli.StringSliceFlag:
			for _, s := range c.StringSlice(name) {
				if strings.TrimSpace(s) == "" {
					return usagef("--%s: it is empty", name)
				}
			}
			continue
		case *cli.IntFlag:
			v = float64(c.Int(name))
		case *cli.Float64Flag:
			v = c.Float64(name)
		case *cli.DurationFlag:
			v = c.Duration(name).Seconds()
		default:
			continue
		}
		if s, known := spanOf(c.Command, name); known {
			if err := s.Check("--"+name, v, fmt.Sprint(c.Value(name))); err != nil {
				return usagef("%v", err)
			}
		}
	}
	return nil
}

// notANumber are the errors of package cli about numbers that it cannot read.
var notANumber = regexp.MustCompile(`^invalid (?:boolean )?value "(.*)" for (?:flag )?-([^:]*): `)

// unreadable words such an error: the flag, what it was given, and what it takes. It is "" for any other one.
func unreadable(c *cli.Command, err error) string {
	m := notANumber.FindStringSubmatch(err.Error())
	if m == nil {
		return ""
	}
	kind := "a number"
	for _, f := range c.Flags {
		if f.Names()[0] != m[2] {
			continue
		}
		switch f.(type) {
		case *cli.IntFlag:
			kind = "a whole number"
		case *cli.Uint64Flag:
			kind = fmt.Sprintf("a whole number from 0 to %d", uint64(1<<64-1))
		case *cli.DurationFlag:
			kind = "a duration such as " + (30 * time.Minute).String()
		case *cli.BoolFlag:
			kind = "true or false"
		}
	}
	if s, known := spanOf(c, m[2]); known {
		kind += " " + s.String()
	}
	return fmt.Sprintf("--%s: %q is not %s", m[2], m[1], kind)
}
