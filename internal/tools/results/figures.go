package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// figure is a line of the first page: what a section says in short.
type figure struct {
	what, section string
	say           func(t *reader) string
}

// figures are what a visitor wants to know first. All of them come from the tables, and none from memory.
func figures() []figure {
	return []figure{
		{"The example's whole job, 4 bits", "example", func(t *reader) string {
			return fmt.Sprintf("%s s; top-1 %s, in float %s", t.cell("seconds"), t.cell("top-1 (file)"), t.cell("float top-1"))
		}},
		{"ResNet-20 on CIFAR-10, top-1 at 4, 3 and 2.5 bits from one training", "accuracy", func(t *reader) string {
			return trained(t, "top-1 (file)") + "; in float " + t.cell("float top-1")
		}},
		{"The same, one width everywhere", "accuracy", func(t *reader) string { return trained(t, "uniform top-1") }},
		{"ResNet-20 without training, top-1 in onnxruntime at 8 and 4 bits", "runtimes", func(t *reader) string {
			return t.cell("onnxruntime", "8.0bit", "ort") + ", " + t.cell("onnxruntime", "4.0bit", "ort")
		}},
		{"Training time: a ResNet-20, one epoch, with search and files", "resnet20", func(t *reader) string {
			return t.cell("seconds") + " s on " + t.machine()
		}},
		{"Search for a further target, of its whole command", "cost", func(t *reader) string {
			t.rows = t.made("--target 2.8bit")
			return fmt.Sprintf("%s s of %s s for a ResNet-20", t.cell("search", "resnet20-cifar10"), t.cell("whole command", "resnet20-cifar10"))
		}},
		{"Predictions of files that differ from the simulation", "accuracy", func(t *reader) string {
			t.rows = slices.DeleteFunc(slices.Clone(t.rows), func(w row) bool { return w.cells[0] == "float" })
			return fmt.Sprintf("%d in %d files", t.sum("flips"), len(t.rows))
		}},
		{"Speed in onnxruntime of a ResNet-20 at 8 bits, one thread", "speed", func(t *reader) string {
			return fmt.Sprintf("%s of float, %s of onnxruntime's own quantization", t.cell("of float", "resnet20-cifar10", "8/8"), t.cell("of static", "resnet20-cifar10", "8/8"))
		}},
		{"Weights of a ResNet-20 at 4 bits, and its file", "accuracy", func(t *reader) string {
			return fmt.Sprintf("%s MB packed, in float %s; file %s MB, in float %s", t.cell("packed MB", "4.0bit"), t.cell("packed MB", "float"),
				t.cell("file MB", "4.0bit"), t.cell("file MB", "float"))
		}},
		{"Training step of a ResNet-20, batch 128, beside PyTorch", "engine", func(t *reader) string {
			of := []string{"resnet20-cifar10", "128"}
			return fmt.Sprintf("%s its speed; memory %s MB, PyTorch %s MB", t.cell("times faster", of...), t.cell("peak RSS MB", of...), t.cell("PyTorch RSS MB", of...))
		}},
		{"Peak memory of a command on a model beyond 2 GiB", "size", peak},
	}
}

// peaks is how the program big tells the memory of a command.
var peaks = regexp.MustCompile(`peak +(\d+) MB, (.*)`)

// peak is the highest memory of the commands.
func peak(t *reader) string {
	highest, said := 0, ""
	for _, w := range t.rows {
		m := peaks.FindStringSubmatch(w.cells[0])
		if m == nil {
			continue
		}
		if mb, err := strconv.Atoi(m[1]); err == nil && mb > highest {
			highest, said = mb, m[1]+" MB, "+m[2]
		}
	}
	t.missing = highest == 0
	return said
}

// trained are the results of one training at three targets.
func trained(t *reader, column string) string {
	var list []string
	for _, target := range []string{"4.0bit", "3.0bit", "2.5bit"} {
		list = append(list, t.cell(column, target))
	}
	return strings.Join(list, ", ")
}

// firstPage shows the figures of the tables that are there, and names the sections of the others.
func firstPage(tables map[string][]row) string {
	var b strings.Builder
	b.WriteString("\n## In short\n\n" + line([]string{"what", "measured", "table"}) + "|---|---|---|\n")
	var missing []string
	for _, f := range figures() {
		s := sectionOf(f.section)
		t := &reader{columns: s.columns, rows: tables[s.name]}
		said := f.say(t)
		if t.missing {
			missing = append(missing, fmt.Sprintf("%s (section `%s`)", f.what, f.section))
			continue
		}
		b.WriteString(line([]string{f.what, said, fmt.Sprintf("[%s](#%s)", s.name, slug(s.title))}))
	}
	if len(missing) > 0 {
		b.WriteString("\n" + wrap("Not measured: "+strings.Join(missing, "; ")+".", "\n") + "\n")
	}
	return b.String()
}

// sectionOf finds a section by its name.
func sectionOf(name string) section {
	for _, s := range sections() {
		if s.name == name {
			return s
		}
	}
	return section{}
}

// reader looks up cells of a table and remembers whether one was not there.
type reader struct {
	columns []string
	rows    []row
	missing bool
}

// cell is the one in this column of the first row that begins with these cells. An empty one is missing.
func (t *reader) cell(column string, begins ...string) string {
	at := slices.Index(t.columns, column)
	for _, w := range t.rows {
		if at >= 0 && slices.Equal(w.cells[:len(begins)], begins) && w.cells[at] != "" {
			return w.cells[at]
		}
	}
	t.missing = true
	return ""
}

// made are the rows of commands that contain this text.
func (t *reader) made(part string) []row {
	return slices.DeleteFunc(slices.Clone(t.rows), func(w row) bool { return !strings.Contains(w.command, part) })
}

// machine is where the first row was made, without the commit.
func (t *reader) machine() string {
	if len(t.rows) == 0 {
		t.missing = true
		return ""
	}
	_, machine, _ := strings.Cut(t.rows[0].where, ", ")
	return machine
}

// sum adds up a column of whole numbers.
func (t *reader) sum(column string) int {
	at, total := slices.Index(t.columns, column), 0
	for _, w := range t.rows {
		n, err := strconv.Atoi(w.cells[max(at, 0)])
		t.missing = t.missing || err != nil
		total += n
	}
	t.missing = t.missing || len(t.rows) == 0
	return total
}
