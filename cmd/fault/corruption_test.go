package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
)

// places is how often TestCorruption damages an artifact, fewPlaces how often under -short.
const places, fewPlaces = 500, 60

// TestCorruption flips a bit, or cuts off a file, at random places of all artifacts of a workspace after every stage,
// and goes on. That is an error that names the file, or ends with the files that a workspace without damage gives. In
// the workspace of a program that recorded no hashes not all damage can be found, but none is a panic.
func TestCorruption(t *testing.T) {
	stages := snapshots(t)
	n := places
	if testing.Short() {
		n = fewPlaces
	}
	t.Run("hashes", func(t *testing.T) { strike(t, stages, n) })
	for i, s := range stages {
		stages[i] = snapshot{stage: s.stage, files: unrecorded(t, s.files)}
	}
	t.Run("no hashes", func(t *testing.T) { strike(t, stages, n/4) })
}

// unrecorded is a workspace as programs left it that knew no hashes.
func unrecorded(t *testing.T, files contentOf) contentOf {
	t.Helper()
	old := maps.Clone(files)
	delete(old, "manifest.backup.json")
	for _, name := range []string{"manifest.json", "report.json"} {
		if old[name] == nil {
			continue
		}
		m := program.Decode[map[string]any](t, old[name])
		delete(m, "artifacts")
		delete(m, "checksum")
		text, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		old[name] = text
	}
	return old
}

// strike makes n attacks, and shows what became of them.
func strike(t *testing.T, stages []snapshot, n int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(22, 5))
	attacks := make([]attack, n)
	for i := range attacks {
		attacks[i] = draw(rng, stages, i)
		if attacks[i].from.whole == nil && i%2 == 0 {
			attacks[i].edit = 1 + rng.IntN(1<<20)
		}
	}
	var mu sync.Mutex
	counts := map[string]map[string]int{}
	var wait sync.WaitGroup
	next := make(chan attack)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for a := range next {
				outcome := a.run(t)
				mu.Lock()
				kind := a.kind()
				if counts[kind] == nil {
					counts[kind] = map[string]int{}
				}
				counts[kind][outcome]++
				mu.Unlock()
			}
		})
	}
	for _, a := range attacks {
		next <- a
	}
	close(next)
	wait.Wait()
	t.Log(tableOf(counts))
}

// What became of damage.
const (
	refused  = "error that names it"
	remade   = "made anew"
	harmless = "same bytes"
	wrong    = "WRONG"
)

// tableOf shows how often what became of which files.
func tableOf(counts map[string]map[string]int) string {
	var b strings.Builder
	b.WriteString("\n| artifact | error that names it | made anew | same bytes |\n|---|--:|--:|--:|\n")
	sum := map[string]int{}
	row := func(name string, c map[string]int) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", name, c[refused], c[remade], c[harmless])
	}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		row(kind, counts[kind])
		for outcome, n := range counts[kind] {
			sum[outcome] += n
		}
	}
	row("all", sum)
	return b.String()
}

// contentOf is a workspace in memory, by the names of its files.
type contentOf map[string][]byte

// snapshot is a workspace after a stage.
type snapshot struct {
	stage string
	files contentOf
	whole contentOf // what it comes to without damage; nil: it may be anything
}

// attack is one place that is damaged, and how the program goes on.
type attack struct {
	from    snapshot
	name    string // of the file
	bit     int    // that is flipped; < 0: the file is cut off after -bit-1 bytes
	edit    int    // of a document, where not 0: see edited
	command []string
}

// draw makes an attack. Every artifact of every stage gets its turn before one comes again; pages and figures, which
// nothing reads, get none.
func draw(rng *rand.Rand, stages []snapshot, turn int) attack {
	type place struct {
		stage int
		name  string
	}
	var all []place
	for i, s := range stages {
		for _, name := range slices.Sorted(maps.Keys(s.files)) {
			if name != "lock" && path.Ext(name) != ".html" && path.Ext(name) != ".svg" && len(s.files[name]) > 0 {
				all = append(all, place{i, name})
			}
		}
	}
	p := all[turn%len(all)]
	a := attack{from: stages[p.stage], name: p.name, command: []string{"compress", "--target", target}}
	size := len(a.from.files[a.name])
	if a.bit = rng.IntN(8 * size); rng.IntN(5) == 0 {
		a.bit = -1 - rng.IntN(size)
	}
	if a.from.files["out/tiny-"+target+".ort.onnx"] != nil {
		file := "out/tiny-" + target + ".ort.onnx"
		a.command = [][]string{a.command, {"search", "--target", further}, {"export"}, {"verify", file}, {"report"}}[rng.IntN(5)]
	}
	return a
}

// kind is the file without what it is of.
func (a attack) kind() string {
	name := a.name
	for _, of := range []string{"tiny-" + target + ".", "tiny-" + further + ".", target + ".", further + "."} {
		name = strings.ReplaceAll(name, of, "*.")
	}
	return name
}

// run makes a workspace, damages it, goes on and says what became of it.
func (a attack) run(t *testing.T) (outcome string) {
	whole := a.from.whole
	where := fmt.Sprintf("%v after %s, bit %d, edit %d of %s", a.command, a.from.stage, a.bit, a.edit, a.name)
	defer func() {
		if problem := recover(); problem != nil {
			outcome = wrong
			t.Errorf("%s: panic: %v", where, problem)
		}
	}()
	dir := filepath.Join(t.TempDir(), "tiny.mpqc")
	a.from.files.write(t, dir)
	bad := bytes.Clone(a.from.files[a.name])
	switch {
	case a.edit > 0 && path.Ext(a.name) == ".json":
		bad = edited(t, bad, a.edit)
	case a.bit < 0:
		bad = bad[:-a.bit-1]
	default:
		bad[a.bit/8] ^= 1 << (a.bit % 8)
	}
	sample.Write(t, filepath.Join(dir, filepath.FromSlash(a.name)), bad)
	args := slices.Concat(a.command, []string{"--workspace", dir, "--threads", "1"})
	if a.command[0] == "verify" {
		args[1] = filepath.Join(dir, filepath.FromSlash(args[1]))
	}
	if a.command[0] == "report" {
		args = args[:3]
	}
	code, _, stderr := program.Call(t, args...)
	base := path.Base(a.name)
	named := strings.Contains(stderr, base)
	if code != exit.Done {
		if !named && whole != nil {
			t.Errorf("%s: exit code %d without the file's name: %s", where, code, stderr)
			return wrong
		}
		return refused
	}
	for name, want := range whole {
		if path.Ext(name) != ".onnx" || path.Dir(name) != "out" {
			continue
		}
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if errors.Is(err, os.ErrNotExist) || name == a.name && !a.writes(name) {
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %s is another one: %s", where, name, stderr)
			return wrong
		}
	}
	if a.command[0] == "verify" && args[1] == filepath.Join(dir, filepath.FromSlash(a.name)) && whole != nil &&
		!strings.Contains(stderr, "not the file that was exported") {
		t.Errorf("%s: it passes without a word: %s", where, stderr)
		return wrong
	}
	if named && (strings.Contains(stderr, "damaged") || strings.Contains(stderr, "backup")) {
		return remade
	}
	return harmless
}

// edited is a document with something else in one place: what is missing, of another kind, or out of all proportion.
func edited(t *testing.T, document []byte, which int) []byte {
	t.Helper()
	root := program.Decode[any](t, document)
	var sets []func(any)
	var walk func(v any, set func(any))
	walk = func(v any, set func(any)) {
		sets = append(sets, set)
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				sets = append(sets, func(any) { delete(v, key) })
				walk(v[key], func(x any) { v[key] = x })
			}
		case []any:
			for i := range v {
				walk(v[i], func(x any) { v[i] = x })
			}
			if len(v) > 0 {
				sets = append(sets, func(any) { set(v[1:]) })
			}
		}
	}
	walk(root, func(x any) { root = x })
	odd := []any{nil, -1, 0, 1 << 40, 1.5, "", "x", []any{}, map[string]any{}, true}
	sets[which%len(sets)](odd[which/len(sets)%len(odd)])
	text, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// writes reports whether the command writes an exported file anew.
func (a attack) writes(name string) bool {
	switch a.command[0] {
	case "compress", "search":
		return strings.Contains(name, "-"+a.command[2]+".")
	}
	return a.command[0] == "export"
}

// write puts the files into a folder.
func (c contentOf) write(t *testing.T, dir string) {
	t.Helper()
	for name, content := range c {
		sample.Write(t, filepath.Join(dir, filepath.FromSlash(name)), content)
	}
}

// read is what is in a folder.
func read(t *testing.T, dir string) contentOf {
	t.Helper()
	files := contentOf{}
	for name, content := range contents(t, dir) {
		files[filepath.ToSlash(name)] = []byte(content)
	}
	return files
}

// target is what a snapshot is searched for, further another target.
const target, further = "5bit", "6bit"

// snapshots is a workspace after every stage of a job that takes a fraction of a second.
func snapshots(t *testing.T) (stages []snapshot) {
	t.Helper()
	model := filepath.Join(t.TempDir(), "tiny.onnx")
	m := sample.Network(t, tensor.Shape{1, 3, 8, 8}, tensor.Float32, func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
		return sample.Node(t, g, "relu", "Relu", v)
	})
	if err := m.Save(model); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "tiny.mpqc")
	take := func(stage string) { stages = append(stages, snapshot{stage: stage, files: read(t, dir)}) }
	o := options.Options{
		Workspace:          dir,
		ModelOptions:       options.ModelOptions{Model: model},
		DataOptions:        options.DataOptions{Data: sample.Colours(t, 8, 48), NoLabels: new(true)},
		WidthOptions:       options.WidthOptions{WeightBits: []int{4, 5, 8}, ActivationBits: []int{4, 5, 8}},
		CalibrationOptions: options.CalibrationOptions{CalibrateSamples: 16},
		TrainingOptions:    options.TrainingOptions{Epochs: new(8.0), BatchSize: 8, Paths: 2, LeastUpdates: new(0)},
		SearchOptions:      options.SearchOptions{Targets: []string{target}, ScoreOptions: options.ScoreOptions{SearchSamples: 16}},
		NormOptions:        options.NormOptions{NormSamples: 16},
		ExportOptions:      options.ExportOptions{Profiles: []string{"ort", "qnn"}},
		VerifyOptions:      options.VerifyOptions{VerifySamples: 8},
		MachineOptions:     options.MachineOptions{Threads: 1, CheckpointEvery: 1},
	}
	o.Edit.Preset = "unit"
	run := func(sink func(cancel func(), e event.Event)) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o.Events = func(e event.Event) { sink(cancel, e) }
		_, err := pipeline.Run(ctx, o)
		return err
	}
	for k, end := range []int64{3, 6} { // two interruptions leave two generations of checkpoints
		err := run(func(cancel func(), e event.Event) {
			switch {
			case e.Kind == event.Start && e.Stage == event.StageCalibrate:
				take("import")
			case k == 0 && e.Kind == event.Start && e.Stage == event.StageTrain && e.Subject == "":
				take("calibration")
			case e.Kind == event.Progress && e.Stage == event.StageTrain && e.Subject == "" && e.Done >= end:
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			program.NeedRuntime(t, exit.Failed, fmt.Sprint(err))
			t.Fatalf("interrupted after %d steps: %v", end, err)
		}
	}
	take("part of the training")
	err := run(func(_ func(), e event.Event) {
		switch {
		case e.Kind == event.Start && e.Stage == event.StageSearch && e.Text != "":
			take("training")
		case e.Kind == event.Start && e.Stage == event.StageExport && len(stages) == 4:
			take("search")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) { program.Succeed(t, append(args, "--workspace", dir, "--threads", "1")...) }
	call("compress", "--target", target)
	take("export")
	call("search", "--target", further)
	for i := range stages {
		stages[i].whole = read(t, dir)
	}
	call("compress", "--target", target, "--polish", "1")
	take("polish")
	if len(stages) != 7 {
		t.Fatalf("%d snapshots", len(stages))
	}
	stages[6].whole = stages[6].files
	return stages
}
