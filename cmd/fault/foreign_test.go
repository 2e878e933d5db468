package fault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestManifests: the manifest of another workspace, none at all, or one that knows nothing of the supernet is an error
// that says what to do, and nothing is trained over; the backup brings the own one back.
func TestManifests(t *testing.T) {
	stages := snapshots(t)
	imported, trained := stages[0].files, stages[len(stages)-1].files
	foreign := func(t *testing.T) []byte { // of the same kind, of another model
		program.Example(t)
		return sample.Read(t, filepath.Join("example.mpqc", "manifest.json"))
	}
	for _, tc := range []struct {
		name             string
		manifest, backup []byte // nil: none
		want             string // of stderr; "": all is well
	}{
		{"another workspace's", foreign(t), trained["manifest.json"], "manifest.backup.json describes them: copy that in its place"},
		{"another workspace's, no backup", foreign(t), nil, "begin anew in another one with --workspace"},
		{"from before the training", imported["manifest.json"], imported["manifest.json"], "supernet.safetensors is not on record in manifest.json"},
		{"none", nil, nil, "supernet.safetensors is not on record in manifest.json"},
		{"only a backup", nil, trained["manifest.json"], ""},
		{"its own", trained["manifest.json"], nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tiny.mpqc")
			trained.write(t, dir)
			for name, content := range map[string][]byte{"manifest.json": tc.manifest, "manifest.backup.json": tc.backup} {
				file := filepath.Join(dir, name)
				if content == nil {
					if err := os.Remove(file); err != nil {
						t.Fatal(err)
					}
					continue
				}
				sample.Write(t, file, content)
			}
			code, _, stderr := program.Call(t, "compress", "--target", target, "--workspace", dir, "--threads", "1")
			if (code == exit.Done) != (tc.want == "") || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit code %d, want %q: %s", code, tc.want, stderr)
			}
			for _, name := range []string{"supernet.safetensors", "out/tiny-" + target + ".ort.onnx"} {
				if string(sample.Read(t, filepath.Join(dir, filepath.FromSlash(name)))) != string(trained[name]) {
					t.Errorf("%s changed", name)
				}
			}
		})
	}
}

// TestEditedFiles: files of people's own are taken as they are: an edited policy beside the found one is exported, and
// an exported file that was changed is compared in earnest.
func TestEditedFiles(t *testing.T) {
	stages := snapshots(t)
	dir := filepath.Join(t.TempDir(), "tiny.mpqc")
	stages[len(stages)-1].files.write(t, dir)
	policy := filepath.Join(dir, "search", target+".policy")
	text := string(sample.Read(t, policy))
	edited := strings.Replace(text, "second = 5/", "second = 4/", 1)
	if edited == text {
		edited = strings.Replace(text, "second = 4/", "second = 5/", 1)
	}
	sample.Write(t, policy, []byte(edited))
	common := []string{"--workspace", dir, "--threads", "1"}
	stdout, _ := program.Succeed(t, append([]string{"compress", "--policy", policy}, common...)...)
	if edited == text || !strings.Contains(stdout, "policy-"+target) {
		t.Errorf("the policy %s: %s", text, stdout)
	}
	file := filepath.Join(dir, "out", "tiny-"+target+".ort.onnx")
	m := sample.LoadModel(t, file)
	for _, v := range m.Graph.Initializers() {
		if strings.HasPrefix(v.Name(), "w2") && v.DType() == stored(m.Graph.Node("second")).DType() {
			sample.Change(t, v, func(x []int8) { x[0] ^= 3 })
		}
	}
	if err := m.Save(file); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := program.Call(t, append([]string{"verify", file}, common...)...)
	if code != exit.Mismatch || !strings.Contains(stderr, "is not the file that was exported") || !strings.Contains(stderr, `"second"`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
