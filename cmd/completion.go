package cmd

import (
	_ "embed" // the scripts
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// The scripts ask the program itself what fits: completeCommand prints it.
var (
	//go:embed completion/mpqc.bash
	bashScript string
	//go:embed completion/mpqc.zsh
	zshScript string
	//go:embed completion/mpqc.fish
	fishScript string
)

// shells are the arguments of mpqc completion.
func shells() []string { return []string{"bash", "zsh", "fish"} }

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that completes command lines in a shell",
		ArgsUsage: strings.Join(shells(), "|"),
		Description: `  source <(mpqc completion bash)                                   in ~/.bashrc
  source <(mpqc completion zsh)                                    in ~/.zshrc, after compinit
  mpqc completion fish > ~/.config/fish/completions/mpqc.fish`,
		Action: runCompletion,
	}
}

func runCompletion(c *cli.Context) error {
	shell, err := oneArgument(c, "shell", true)
	if err != nil {
		return err
	}
	script, ok := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[shell]
	if !ok {
		return usagef("completion is written for %s, not for %q", strings.Join(shells(), ", "), shell)
	}
	_, err = fmt.Fprint(c.App.Writer, script)
	return err
}

// completeCommand answers the scripts: its arguments are the words behind the program's name, the last one under way.
// It prints one candidate a line with its description behind a tab, or ":files PATTERN" where a path is wanted, "/" for
// folders alone.
func completeCommand() *cli.Command {
	return &cli.Command{
		Name: "__complete", Hidden: true, SkipFlagParsing: true, Usage: "for the scripts of mpqc completion",
		Action: func(c *cli.Context) error {
			words, cut := joined(c.Args().Slice())
			values, files := complete(c.App, words)
			for _, v := range values {
				fmt.Fprintf(c.App.Writer, "%s\t%s\n", strings.TrimPrefix(v.text, cut), v.words)
			}
			if files != "" {
				fmt.Fprintln(c.App.Writer, ":files", files)
			}
			return nil
		},
	}
}

// joined puts words together that bash took apart at "=". cut is the part of the last one that bash keeps to itself.
func joined(split []string) (words []string, cut string) {
	for i := 0; i < len(split); i++ {
		if split[i] != "=" || len(words) == 0 {
			words, cut = append(words, split[i]), ""
			continue
		}
		last := &words[len(words)-1]
		*last += "="
		cut = *last
		if i+1 < len(split) {
			i++
			*last += split[i]
		}
	}
	return words, cut
}

// candidate is one way to go on, and what it means.
type candidate struct{ text, words string }

// complete lists what the last word may become, or the pattern of the files it may name.
func complete(app *cli.App, words []string) (values []candidate, files string) {
	if len(words) == 0 {
		words = []string{""}
	}
	current := words[len(words)-1]
	if len(words) == 1 && strings.HasPrefix(current, "-") {
		return starting(current, []candidate{{"--help", "show first steps and all commands"}, {"--version", "show the versions of this program and of onnxruntime"}}), ""
	}
	if len(words) == 1 || len(words) == 2 && words[0] == "help" {
		return starting(current, commandNames(app)), ""
	}
	command := app.Command(words[0])
	if command == nil {
		return nil, ""
	}
	before, arguments, onlyArguments := words[1:len(words)-1], 0, false
	for i := 0; i < len(before); i++ {
		switch w := before[i]; {
		case onlyArguments || len(w) < 2 || w[0] != '-':
			arguments++
		case w == "--":
			onlyArguments = true
		case !takesValue(command, w):
		case i == len(before)-1:
			return flagValues(command, w, "", current)
		default:
			i++
		}
	}
	switch name, value, has := strings.Cut(current, "="); {
	case onlyArguments || !strings.HasPrefix(current, "-"):
		return argumentValues(command, arguments, current)
	case has:
		return flagValues(command, name, name+"=", value)
	default:
		return starting(current, unusedFlags(command, before)), ""
	}
}

func commandNames(app *cli.App) []candidate {
	var all []candidate
	for _, c := range app.Commands {
		if !c.Hidden {
			all = append(all, candidate{c.Name, c.Usage})
		}
	}
	return all
}

// unusedFlags leaves out what stands on the line already, unless it may be repeated.
func unusedFlags(command *cli.Command, used []string) []candidate {
	var all []candidate
	for _, f := range command.Flags {
		name := "--" + f.Names()[0]
		_, repeats := f.(*cli.StringSliceFlag)
		isUsed := func(w string) bool {
			w, _, _ = strings.Cut(canonical(command, w), "=")
			return w == name
		}
		if repeats || !slices.ContainsFunc(used, isUsed) {
			_, words := usageWords(f)
			all = append(all, candidate{name, words})
		}
	}
	return append(all, candidate{"--help", "show all flags"})
}

func starting(prefix string, all []candidate) []candidate {
	return slices.DeleteFunc(all, func(c candidate) bool { return !strings.HasPrefix(c.text, prefix) })
}
