package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
)

func manCommand() *cli.Command {
	return &cli.Command{
		Name:        "man",
		Usage:       "print the manual page of all commands",
		ArgsUsage:   " ",
		Description: "  mpqc man | man -l -\n  mpqc man > ~/.local/share/man/man1/mpqc.1",
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("man takes no arguments")
			}
			_, err := fmt.Fprint(c.App.Writer, manual(c.App))
			return err
		},
	}
}

// manual is the page in the man macros of roff. It holds no date, so that equal programs print equal pages.
func manual(app *cli.App) string {
	var b roff
	b.line(`.TH MPQC 1 "" "mpqc `+roffText(pipeline.Version())+`" "User Commands"`, ".nh", ".ad l")
	b.section("NAME", "mpqc - "+app.Usage)
	usage, _, _ := strings.Cut(synopsis, "  ")
	b.section("SYNOPSIS", strings.Join(strings.Fields(usage), " "))
	b.section("DESCRIPTION", purpose+" Flags may stand before or after the path.")
	b.section("FIRST STEPS")
	b.example(firstSteps)
	b.section("WHAT COMES OUT")
	b.example(whatComesOut)
	b.section("COMMANDS")
	shared := commonFlags()
	for _, c := range app.Commands {
		if !c.Hidden && c.Name != "help" {
			b.command(c, shared)
		}
	}
	b.section("GENERAL OPTIONS", "Every command that works on a model or a workspace has these:")
	b.flags(shared)
	b.section("EXIT STATUS", strings.ReplaceAll(exitCodes, " ·", ";"))
	b.section("ENVIRONMENT")
	b.line(".TP", `\fBMPQC_ONNXRUNTIME\fR`)
	b.text("path of the onnxruntime library. mpqc looks for the library in this order: --onnxruntime, this variable, " +
		"next to the program, the Go module that ships it, the system.")
	return b.String()
}

// roff is a page under way.
type roff struct{ strings.Builder }

func (b *roff) line(lines ...string) { b.WriteString(strings.Join(lines, "\n") + "\n") }

func (b *roff) text(s string) { b.line(roffText(strings.Join(strings.Fields(s), " "))) }

func (b *roff) section(title string, paragraphs ...string) {
	b.line(".SH " + title)
	for _, p := range paragraphs {
		b.text(p)
	}
}

// example keeps lines as they are.
func (b *roff) example(s string) {
	b.line(".nf")
	for line := range strings.Lines(s) {
		b.line(roffText(strings.TrimPrefix(strings.TrimRight(line, "\n"), "  ")))
	}
	b.line(".fi")
}

func (b *roff) command(c *cli.Command, shared []cli.Flag) {
	isShared := func(f cli.Flag) bool {
		return slices.ContainsFunc(shared, func(s cli.Flag) bool { return s.Names()[0] == f.Names()[0] })
	}
	b.line(`.SS "` + roffText(usageLine(c)) + `"`)
	b.text(strings.ToUpper(c.Usage[:1]) + c.Usage[1:] + ".")
	for part := range strings.SplitSeq(c.Description, "\n\n") {
		switch {
		case part == "":
		case strings.HasPrefix(part, "  "):
			b.line(".PP")
			b.example(part)
		default:
			b.line(".PP")
			b.text(part)
		}
	}
	b.flags(slices.DeleteFunc(slices.Clone(c.Flags), func(f cli.Flag) bool {
		return f == cli.HelpFlag || c.Name != "version" && isShared(f)
	}))
}

// flags lists flags, each with its words.
func (b *roff) flags(all []cli.Flag) {
	for _, f := range all {
		value, words := usageWords(f)
		b.line(".TP", strings.TrimRight(`\fB`+roffText(flagNames(f))+`\fR `+roffText(value), " "))
		b.text(words)
	}
}

// roffText escapes what roff would read as its own.
func roffText(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '"':
			b.WriteString(`\(dq`)
		case (r == '.' || r == '\'') && i == 0:
			b.WriteString(`\&` + string(r))
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`':
			b.WriteString(`\(ga`)
		case r > 126:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
