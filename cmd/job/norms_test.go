package job

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/quantize"
)

// TestNormsOfProfiles: files of onnxruntime and of OpenVINO bound other pairs of 8-bit weights, those of QNN none,
// which shifts what layers put out, so they have norms of their own. A file is the same whatever other profiles were
// asked for with it, and one written later leaves those before valid.
func TestNormsOfProfiles(t *testing.T) {
	if testing.Short() {
		t.Skip("runs several jobs")
	}
	data := sample.SmallData(t, t.TempDir(), 256, 100)
	t.Chdir(t.TempDir())
	args := slices.Concat([]string{"compress", "--target", "8.0bit", "--epochs", "0", "--data", data}, program.Small, []string{"--bits", "4,8"})
	files := func(args ...string) map[string]pipeline.File {
		doc, _ := program.Answer[pipeline.Result](t, args...)
		out := map[string]pipeline.File{}
		for _, f := range doc.Results[0].Files {
			out[f.Profile] = f
		}
		return out
	}
	both := files(append(args, "--workspace", "both/example.mpqc", "--profile", "ort,openvino,qnn")...)
	alone := files(append(args, "--workspace", "alone/example.mpqc", "--profile", "qnn")...)
	if len(both["ort"].Limited) == 0 || len(both["openvino"].Limited) == 0 {
		t.Fatal("no pairs are bounded")
	}
	if len(both) != 3 || both["qnn"].SHA256 != alone["qnn"].SHA256 {
		t.Error("the file of qnn depends on what else is written")
	}
	search := filepath.Join("both", "example.mpqc", "search")
	free := supernetIn(t, search, "8.0bit.norms.free.safetensors")
	for _, name := range []string{"8.0bit.norms.safetensors", "8.0bit.norms.either.safetensors"} {
		if moved(supernetIn(t, search, name), free, ".mean") == 0 {
			t.Errorf("norms of bounded weights, %s, are those of free ones", name)
		}
	}
	for _, f := range both {
		program.Succeed(t, "verify", f.Path, "--samples", "8")
	}
}

// supernetIn reads arrays of a supernet.
func supernetIn(t *testing.T, folder, name string) *quantize.Supernet {
	t.Helper()
	s, err := quantize.LoadSupernet(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// moved counts the arrays with a suffix that differ between supernets which have them both.
func moved(a, b *quantize.Supernet, suffix string) (n int) {
	for name, array := range a.Arrays {
		other, ok := b.Arrays[name]
		if ok && strings.HasSuffix(name, suffix) && !slices.Equal(array.Data, other.Data) {
			n++
		}
	}
	return n
}
