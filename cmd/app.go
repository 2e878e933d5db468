// Package cmd is the command line: it turns flags into pipeline.Options and results into tables, JSON and exit codes.
// It holds no logic of its own, so that everything it can do is a call of package pipeline.
package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/legible"
	"github.com/mpqc/mpqc/pipeline"
)

// Run executes a command line, args[0] being the program's name, and returns the exit code. Results go to stdout,
// progress and messages to stderr. An interrupt cancels the work in progress, which saves what it has; a second one
// ends the program at once. After an interrupt work may still be going on when Run returns: the process is to end.
func Run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	context.AfterFunc(ctx, stop)
	defer outlive()()
	out := &output{w: stdout}
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, args, out, stderr) }()
	code, in := inTime(ctx, ended)
	if !in {
		message(stderr, ctx.Err(), exit.Interrupted, args)
		return exit.Interrupted
	}
	return out.code(code, stderr)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	// Names of nodes and files are shown everywhere, and a terminal would obey what is in them.
	stdout, stderr = legible.To(stdout), legible.To(stderr)
	app := newApp(stdout, stderr)
	if len(args) > 1 && (args[1] == "--version" || args[1] == "-v") {
		args = slices.Concat(args[:1], []string{"version"}, args[2:])
	}
	err := app.RunContext(ctx, reorder(app, args))
	if err == nil {
		return exit.Done
	}
	code := exitCode(ctx, err)
	message(stderr, err, code, args)
	return code
}

func newApp(stdout, stderr io.Writer) *cli.App {
	commands := []*cli.Command{importCommand(), doctorCommand(), compressCommand(), searchCommand(), exportCommand(), evalCommand(), verifyCommand(), reportCommand(), benchCommand(), versionCommand(), completionCommand(), manCommand(), completeCommand()}
	for _, c := range commands {
		c.OnUsageError, c.HideHelpCommand = usageError, true
		c.Before = checkStated
		c.CustomHelpTemplate = commandHelp(c)
	}
	return &cli.App{
		Name:                      "mpqc",
		Usage:                     "compress pretrained ONNX networks by mixed-precision quantization",
		Description:               "Train the shared weights once. Then meet any bit budget by a search that runs inference only.",
		HideVersion:               true, // a command of its own
		Writer:                    stdout,
		ErrWriter:                 stderr,
		DisableSliceFlagSeparator: true,
		Commands:                  commands,
		CustomAppHelpTemplate:     appHelp,
		ExitErrHandler:            func(*cli.Context, error) {}, // run decides
		OnUsageError:              usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("there is no command %q", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
}

// usageError words the errors of package cli about flags.
func usageError(c *cli.Context, err error, _ bool) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if text := unreadable(c.Command, err); text != "" {
		return usagef("%s", text)
	}
	if !unknown {
		return fmt.Errorf("%w: %w", pipeline.ErrUsage, err)
	}
	name, _, _ = strings.Cut(strings.TrimLeft(name, "-"), "=")
	hint := ""
	if near := nearest(c.Command.Flags, name); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return usagef("there is no flag --%s%s", name, hint)
}

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: %s", pipeline.ErrUsage, fmt.Sprintf(format, args...))
}

func exitCode(ctx context.Context, err error) int {
	switch {
	case ctx.Err() != nil: // whatever work made of it
		return exit.Interrupted
	case errors.Is(err, pipeline.ErrUsage):
		return exit.Usage
	case errors.Is(err, pipeline.ErrInfeasible):
		return exit.Infeasible
	case errors.As(err, new(*pipeline.MismatchError)):
		return exit.Mismatch
	default:
		return exit.Failed
	}
}

func message(stderr io.Writer, err error, code int, args []string) {
	switch code {
	case exit.Interrupted:
		kept := "interrupted; finished stages and checkpoints are kept"
		if !onlyCancelled(err) {
			kept = fmt.Sprintf("interrupted, and on the way out: %v\nmpqc: finished stages are kept, and of a training what was saved before", err)
		}
		fmt.Fprintf(stderr, "mpqc: %s. To go on from there, run the same command again:\n  %s\n", kept, quoted(args))
	case exit.Usage:
		text := strings.ReplaceAll(err.Error(), pipeline.ErrUsage.Error()+": ", "")
		help := "mpqc --help"
		if len(args) > 1 && !strings.HasPrefix(args[1], "-") && newApp(nil, nil).Command(args[1]) != nil {
			help = "mpqc " + args[1] + " --help"
		}
		fmt.Fprintf(stderr, "mpqc: %s\nmpqc: all flags: %s\n", text, help)
	default:
		fmt.Fprintln(stderr, "mpqc:", err)
	}
}

// onlyCancelled reports whether an error says nothing but that its context ended.
func onlyCancelled(err error) bool {
	switch e := err.(type) { //nolint:errorlint // looks at every error of the tree by itself
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if !onlyCancelled(part) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		return onlyCancelled(e.Unwrap())
	}
	return err == context.Canceled //nolint:errorlint // nothing is wrapped any more
}

// quoted is a command line that a shell reads as it was.
func quoted(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$`*?[]{}()<>|&;#~!") {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// reorder moves positional arguments of a command behind its flags, because package cli stops reading flags at the
// first positional one.
func reorder(app *cli.App, args []string) []string {
	if len(args) < 3 {
		return args
	}
	var command *cli.Command
	for _, c := range app.Commands {
		if c.HasName(args[1]) {
			command = c
		}
	}
	if command == nil || command.SkipFlagParsing {
		return args
	}
	flags, rest := args[:2:2], []string(nil)
	for i := 2; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case len(a) < 2 || a[0] != '-':
			rest = append(rest, a)
		default:
			flags = append(flags, canonical(command, a))
			if takesValue(command, a) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	if len(rest) > 0 {
		flags = append(append(flags, "--"), rest...)
	}
	return flags
}

// canonical spells a flag by its first name, because package cli refuses two spellings on one line.
func canonical(c *cli.Command, arg string) string {
	name, value, has := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	for _, f := range c.Flags {
		if names := f.Names(); slices.Contains(names[1:], name) {
			if has {
				return "--" + names[0] + "=" + value
			}
			return "--" + names[0]
		}
	}
	return arg
}

// takesValue reports whether the next argument belongs to this flag.
func takesValue(c *cli.Command, arg string) bool {
	if strings.Contains(arg, "=") {
		return false
	}
	name := strings.TrimLeft(arg, "-")
	for _, f := range c.Flags {
		for _, n := range f.Names() {
			if n == name {
				_, isBool := f.(*cli.BoolFlag)
				return !isBool
			}
		}
	}
	return false
}

// writeJSON prints one document, and nothing else, on stdout.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
