package pipeline

import (
	"path/filepath"
	"testing"
)

// TestExampleGoesOn: the example that was interrupted after its import, before its pictures were looked at, finds them
// again without being told. Another workspace does not.
func TestExampleGoesOn(t *testing.T) {
	for name, want := range map[string]bool{exampleWorkspace: true, "other.mpqc": false} {
		dir := filepath.Join(t.TempDir(), name)
		for range 2 { // the second time there is a manifest
			j, err := openJob(Options{Workspace: dir})
			if err != nil {
				t.Fatal(err)
			}
			if got := j.o.Data; (got == filepath.Join(dir, "source", "data")) != want {
				t.Errorf("%s: pictures %q", name, got)
			}
			if err := j.w.Save(); err != nil {
				t.Fatal(err)
			}
			j.close()
		}
	}
}
