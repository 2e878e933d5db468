package report

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/mpqc/mpqc/internal/file"
)

// awaitEvery is the time between two looks at a workspace that another process works in.
const awaitEvery = 200 * time.Millisecond

// Await waits while a workspace has no results yet and another process is making them. It tells the user once, by say.
// All other problems are left to Render.
func Await(ctx context.Context, dir string, say func(text string)) error {
	for said := false; ; said = true {
		if exists(filepath.Join(dir, "report.json")) || !exists(filepath.Join(dir, "lock")) {
			return nil
		}
		l, err := file.Acquire(dir)
		if err == nil {
			l.Unlock()
		}
		if !errors.Is(err, file.ErrLocked) {
			return nil
		}
		if !said {
			say("waiting for the first results: " + err.Error())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(awaitEvery):
		}
	}
}

// exists reports whether a path exists.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
