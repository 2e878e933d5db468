package pipeline

import (
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/internal/file"
)

// TestExampleGoesOn: the example that was interrupted after its import, before its samples were looked at, finds them
// again without being told, wherever it is. A folder of something else is not taken for it.
func TestExampleGoesOn(t *testing.T) {
	for name, want := range map[string]bool{exampleWorkspace: true, "new.mpqc": true, "used": false} {
		dir := filepath.Join(t.TempDir(), name)
		if name == "used" {
			if err := file.WriteBytes(filepath.Join(dir, "notes.txt"), nil); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second time there is a manifest
			s, c, err := openLocked(Options{Workspace: dir})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Data; (got == filepath.Join(dir, "source", "data")) != want {
				t.Errorf("%s: samples %q", name, got)
			}
			if err := s.env.Workspace.Save(); err != nil {
				t.Fatal(err)
			}
			s.leave(nil)
		}
	}
}
