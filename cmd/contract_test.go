package cmd

import (
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
)

// resultKeys are those of one target, as compress, search and export print it.
const resultKeys = `results[].target:string results[].feasible[]:number results[].bitops:number results[].avg_weight_bits:number
	results[].avg_activation_bits:number results[].packed_bytes:number
	results[].metric.top1:number results[].metric.loss:number results[].metric.agreement:number
	results[].uniform.bits:number results[].uniform.top1:number results[].uniform.bitops:number
	results[].policy[].node:string results[].policy[].w:number results[].policy[].a:number results[].policy[].macs:number results[].policy[].params:number
	results[].files[].profile:string results[].files[].path:string results[].files[].bytes:number results[].files[].sha256:string
	results[].files[].top1:number results[].files[].flips:number results[].files[].max_abs_diff:number
	results[].files[].images_per_s:number results[].files[].float_images_per_s:number results[].files[].verified:bool`

// layerKeys are those of import and doctor.
const layerKeys = `layers[].node:string layers[].op:string layers[].shape[]:number layers[].macs:number layers[].params:number
	layers[].candidates[]:number layers[].float_reason:string groups:array
	problems[].node:string problems[].reason:string problems[].fix:string`

// TestContract: scripts outside the repository read what --json prints. The names stand here once more, as text and not
// as the structs that print them, so that renaming a field in Go fails. Commands may print more.
func TestContract(t *testing.T) {
	compressed := program.Example(t)
	file := filepath.Join("example.mpqc", "out", "example-4.0bit.ort.onnx")
	float := filepath.Join("example.mpqc", "float.onnx")
	sample.ModelFile(t, "odd.onnx", func(m *onnx.Model) { sample.Insert(t, m, m.Graph.Nodes()[2], "Selu", "") }) // has a problem to print
	const evalKeys = `n:number top1:number top5:number loss:number images_per_s:number `
	for _, tc := range []struct {
		name, keys string
		args       []string // without any: what compress printed when the workspace was made
		code       int
	}{
		{"compress", `model:string data:string seed:number fingerprint:string seconds.calibrate:number seconds.train:number
			seconds.search:number seconds.export:number seconds.verify:number float.top1:number float.loss:number ` + resultKeys, nil, exit.Done},
		{"search", resultKeys, []string{"search", "--target", "4.0bit"}, exit.Done},
		{"export", resultKeys, []string{"export"}, exit.Done},
		{"import", layerKeys, []string{"import", "odd.onnx"}, exit.Done},
		{"doctor", layerKeys, []string{"doctor", "odd.onnx"}, exit.Failed},
		{"eval", evalKeys, []string{"eval", file}, exit.Done},
		{"eval against", evalKeys + "agreement:number kl:number", []string{"eval", file, "--against", float}, exit.Done},
		{"eval without labels", `n:number top1:null top5:null loss:null images_per_s:number`, []string{"eval", file, "--no-labels"}, exit.Done},
		{
			"verify", `profile:string codes_compared:number codes_different:number flips:number lint:array`,
			[]string{"verify", file, "--samples", "8"},
			exit.Done,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stdout := compressed
			if tc.args != nil {
				var code int
				var stderr string
				if code, stdout, stderr = program.Call(t, append(tc.args, "--json")...); code != tc.code {
					t.Fatalf("exit code %d: %s", code, stderr)
				}
			}
			have := keysOf(t, stdout)
			for _, key := range strings.Fields(tc.keys) {
				if !have[key] {
					t.Errorf("lacks %s", key)
				}
			}
		})
	}
}

// keysOf lists the keys of one JSON document with the kind of their values, such as results[].target:string.
func keysOf(t *testing.T, text string) map[string]bool {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("stdout is not JSON: %v\n%s", err, text)
	}
	if err := d.Decode(new(any)); err != io.EOF {
		t.Fatalf("more than one document on stdout:\n%s", text)
	}
	keys := map[string]bool{}
	collect(v, "", keys)
	return keys
}

func collect(v any, path string, keys map[string]bool) {
	switch x := v.(type) {
	case map[string]any:
		for name, value := range x {
			collect(value, strings.TrimPrefix(path+"."+name, "."), keys)
		}
	case []any:
		keys[path+":array"] = true
		for _, value := range x {
			collect(value, path+"[]", keys)
		}
	case string:
		keys[path+":string"] = true
	case float64:
		keys[path+":number"] = true
	case bool:
		keys[path+":bool"] = true
	case nil:
		keys[path+":null"] = true
	}
}

// TestContractKeys: what TestContract finds in a document.
func TestContractKeys(t *testing.T) {
	have := keysOf(t, `{"a": [{"b": 1}, {"b": null}], "c": "x"}`)
	var got []string
	for k := range have {
		got = append(got, k)
	}
	slices.Sort(got)
	if want := "a:array a[].b:null a[].b:number c:string"; strings.Join(got, " ") != want {
		t.Errorf("keys %v, want %s", got, want)
	}
}
