package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Headings of the flags in a command's help, in this order; flags without one stand under the last.
const (
	whatToMeet  = "TARGETS"
	whatSamples = "SAMPLES"
	howToTrain  = "TRAINING"
	howToWidth  = "QUANTIZATION"
	general     = "GENERAL"
)

// Parts of the program's help and of its manual page.
const (
	purpose = `mpqc compresses pretrained ONNX networks by mixed-precision quantization. It trains the shared weights once. Then it
meets any bit budget by a search that runs inference only. The result is an ordinary QDQ ONNX file.`

	synopsis = `mpqc COMMAND [flags] [MODEL.onnx]        flags may stand before or after the path`

	firstSteps = `  mpqc compress --target 4.0bit            try it on the embedded example
  mpqc import model.onnx                   read your own network, show what will be quantized
  mpqc compress --data pictures.zip --target 4.0bit --target 3.0bit
  mpqc compress --target 2.5bit            use the trained supernet, search only
  mpqc eval model.mpqc/out/model-3.0bit.ort.onnx --data pictures.zip`

	whatComesOut = `  model.mpqc/out/model-3.0bit.ort.onnx     the compressed network, checked against the simulation
  model.mpqc/search/3.0bit.policy          the bits of each layer; edit it, export with --policy
  model.mpqc/report.html, *.svg            accuracy, bits and sensitivity of each layer, loss over budget
  model.mpqc/                              everything kept between runs; remove it to start over`

	exitCodes = `  0 done · 1 failed · 2 usage · 3 target infeasible · 4 exported file does not match the simulation ·
  130 interrupted (the same command goes on)`
)

// appHelp is the page of mpqc --help.
const appHelp = purpose + `

USAGE
  ` + synopsis + `

FIRST STEPS
` + firstSteps + `

WHAT COMES OUT
` + whatComesOut + `

COMMANDS
{{range .VisibleCommands}}{{if ne .Name "help"}}  {{printf "%-10s" .Name}} {{.Usage}}
{{end}}{{end}}
EXIT CODES
` + exitCodes + `

mpqc COMMAND --help lists the flags of a command; mpqc man | man -l - shows the manual page.
Tab completion in bash: source <(mpqc completion bash)
`

// commandHelp is the page of a command: its description, then its flags under headings.
func commandHelp(c *cli.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "mpqc %s - %s\n\nUSAGE\n  %s\n", c.Name, c.Usage, usageLine(c))
	if c.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", c.Description)
	}
	groups := map[string][]string{}
	var headings []string
	for _, f := range c.Flags {
		heading := general
		if k, ok := f.(cli.CategorizableFlag); ok && k.GetCategory() != "" {
			heading = k.GetCategory()
		}
		if !slices.Contains(headings, heading) && heading != general {
			headings = append(headings, heading)
		}
		groups[heading] = append(groups[heading], flagHelp(f))
	}
	for _, h := range append(headings, general) {
		if len(groups[h]) > 0 {
			fmt.Fprintf(&b, "\n%s\n%s", h, strings.Join(groups[h], ""))
		}
	}
	return b.String()
}

// usageLine is how a command is called.
func usageLine(c *cli.Command) string {
	line := "mpqc " + c.Name
	if slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return f != cli.HelpFlag }) {
		line += " [flags]"
	}
	return strings.TrimRight(line+" "+strings.TrimSpace(c.ArgsUsage), " ")
}

// helpWidth is where lines of a page end, and helpColumn where the words about a flag begin.
const (
	helpWidth  = 118
	helpColumn = 30
)

// usageWords takes a flag's usage apart: the placeholder of its value is the part in back quotes, which is left out of
// the words if it stands alone at their end; "" where the flag takes none.
func usageWords(f cli.Flag) (value, words string) {
	doc, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return "", ""
	}
	words = doc.GetUsage()
	if head, rest, ok := strings.Cut(words, "`"); ok {
		if inner, tail, ok := strings.Cut(rest, "`"); ok {
			value, words = inner, head+inner+tail
			if before, alone := strings.CutSuffix(head, ", "); alone && tail == "" {
				words = before
			}
		}
	}
	if value == "" && doc.TakesValue() {
		value = "VALUE"
	}
	return value, words
}

// flagNames are all spellings of a flag, the short one first.
func flagNames(f cli.Flag) string {
	var names []string
	for _, n := range f.Names() {
		if len(n) == 1 {
			names = append([]string{"-" + n}, names...)
		} else {
			names = append(names, "--"+n)
		}
	}
	return strings.Join(names, ", ")
}

// flagHelp is one flag: names, placeholder, words.
func flagHelp(f cli.Flag) string {
	value, words := usageWords(f)
	left := "  " + strings.TrimRight(flagNames(f)+" "+value, " ")
	var b strings.Builder
	if len(left) > helpColumn-2 {
		b.WriteString(left + "\n")
		left = ""
	}
	for _, line := range wrap(words, helpWidth-helpColumn) {
		fmt.Fprintf(&b, "%-*s%s\n", helpColumn, left, line)
		left = ""
	}
	return b.String()
}

// wrap breaks words into lines of at most width bytes where it can.
func wrap(words string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(words) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// under puts flags under a heading of the help.
func under(heading string, flags ...cli.Flag) []cli.Flag {
	for _, f := range flags {
		switch f := f.(type) {
		case *cli.StringFlag:
			f.Category = heading
		case *cli.StringSliceFlag:
			f.Category = heading
		case *cli.BoolFlag:
			f.Category = heading
		case *cli.IntFlag:
			f.Category = heading
		case *cli.Uint64Flag:
			f.Category = heading
		case *cli.Float64Flag:
			f.Category = heading
		case *cli.DurationFlag:
			f.Category = heading
		}
	}
	return flags
}
