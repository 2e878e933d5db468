package cmd

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline/options"
)

// anyFile, onnxFile and folder are patterns of the paths that a word may name.
const (
	anyFile  = "*"
	onnxFile = "*.onnx"
	folder   = "/"
)

// valueSet says what may stand behind a flag: some words, several of them where it is a list, or a path.
type valueSet struct {
	words []string
	list  bool // separated by commas
	files string
}

// flagWords are the values of flags that have the same meaning wherever they occur.
func flagWords() map[string]valueSet {
	return map[string]valueSet{
		"profile":         {words: options.Profiles(), list: true},
		"target":          {words: []string{"4.0bit", "3.0bit", "w4.0a8", "w3.5a4.5", "6MB", "max-drop=1.0"}},
		"bits":            {words: []string{"2,3,4,5,6,8", "4", "8", "float"}},
		"weight-bits":     {words: []string{"2", "3", "4", "5", "6", "8"}, list: true},
		"activation-bits": {words: []string{"2", "3", "4", "5", "6", "8"}, list: true},
		"provider":        {words: []string{"cpu", "cuda", "tensorrt"}},
		"effort":          {words: []string{"quick", "standard", "paper"}},
		"sampling":        {words: []string{"front", "tilted", "uniform"}},
		"outputs":         {words: []string{"scores", "values"}, list: true},
		"ranges":          {words: options.Ranges()},
		"augment":         {words: []string{"flip", "crop", "none"}, list: true},
		"preset":          {words: []string{"imagenet", "cifar10", "fashion-mnist", "unit", "raw"}},
		"layout":          {words: []string{"NCHW", "NHWC"}},
		"color":           {words: []string{"RGB", "BGR", "GRAY"}},
		"split":           {words: []string{"test", "train", "all"}},
		"data":            {files: anyFile},
		"policy":          {files: "*.policy"},
		"onnxruntime":     {files: anyFile},
		"workspace":       {files: folder},
		"model":           {files: onnxFile},
		"against":         {files: onnxFile},
	}
}

// flagValues completes the value of a flag. head stands before it in the same word: "--flag=" or nothing.
func flagValues(command *cli.Command, flag, head, value string) (values []candidate, files string) {
	name := strings.TrimLeft(canonical(command, flag), "-")
	if !slices.ContainsFunc(command.Flags, func(f cli.Flag) bool { return f.Names()[0] == name }) {
		return nil, ""
	}
	set := flagWords()[name]
	if command.Name == "doctor" { // takes one profile
		set.list = set.list && name != "profile"
	}
	var taken []string
	if i := strings.LastIndexByte(value, ','); set.list && i >= 0 {
		taken, head = strings.Split(value[:i], ","), head+value[:i+1]
		value = value[i+1:]
	}
	for _, w := range set.words {
		if strings.HasPrefix(w, value) && !slices.Contains(taken, w) {
			values = append(values, candidate{text: head + w})
		}
	}
	return values, set.files
}

// argumentValues completes an argument that is no flag, of which there are so many before.
func argumentValues(command *cli.Command, before int, current string) (values []candidate, files string) {
	switch what := strings.Trim(strings.TrimSpace(command.ArgsUsage), "[]"); {
	case before > 0 || what == "":
		return nil, ""
	case what == "MODEL.onnx":
		return nil, onnxFile
	default:
		for w := range strings.SplitSeq(what, "|") {
			values = append(values, candidate{text: w})
		}
		return starting(current, values), ""
	}
}
