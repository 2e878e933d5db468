//go:build linux

package cmd

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDiskFull: on a file system that is full to a few kilobytes a further target fails with a message that names the
// file, everything that was there before stays as it was, and with room again the same command goes on.
func TestDiskFull(t *testing.T) {
	binary := mpqc(t)
	example(t)
	disk := t.TempDir()
	mount := func(flags uintptr, size string) error {
		return syscall.Mount("tmpfs", disk, "tmpfs", flags, "size="+size)
	}
	if err := mount(0, "64m"); err != nil {
		t.Skipf("a small file system takes root: %v; TestFileSizeLimit does without", err)
	}
	defer func() { _ = syscall.Unmount(disk, 0) }()
	ws := filepath.Join(disk, "example.mpqc")
	if err := os.CopyFS(ws, os.DirFS("example.mpqc")); err != nil {
		t.Fatal(err)
	}
	before := contents(t, ws)
	fill(t, disk, 24<<10)

	args := []string{"compress", "--target", "3.5bit", "--workspace", ws}
	text, err := command(t, binary, disk, args).CombinedOutput()
	if err == nil || !strings.Contains(string(text), "no space left on device") || !strings.Contains(string(text), "write "+ws) {
		t.Fatalf("%v: %s", err, text)
	}
	after := contents(t, ws)
	for name, was := range before {
		// The manifest records options before the first stage; that it still counts shows below.
		if now, ok := after[name]; name != "manifest.json" && name != "lock" && (!ok || now != was) {
			t.Errorf("%s changed", name)
		}
	}
	for name := range after {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("left behind %s", name)
		}
	}
	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	text, err = command(t, binary, disk, args).CombinedOutput()
	if err != nil || strings.Contains(string(text), "calibrate        ") {
		t.Errorf("with room again: %v: %s", err, text)
	}
}

// TestFileSizeLimit is the same for a limit of the shell on the size of a file, in the first command of all.
func TestFileSizeLimit(t *testing.T) {
	binary, dir := mpqc(t), t.TempDir()
	c := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -f 20; exec "$0" compress --epochs 0`, binary)
	c.Dir = dir
	text, err := c.CombinedOutput()
	if strings.Contains(string(text), "onnxruntime is not available") {
		t.Skip(string(text))
	}
	if err == nil || c.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(text), "mpqc: write example.mpqc/source/example.onnx: file too large") {
		t.Errorf("%v: %s", err, text)
	}
	if left := contents(t, dir); len(left) > 1 { // the lock
		t.Errorf("left behind %d files", len(left))
	}
}

// contents maps the names of all files below a folder to what they hold.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// fill leaves so many bytes of a file system free.
func fill(t *testing.T, dir string, free int) {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "filler"), make([]byte, int(s.Bavail)*int(s.Bsize)-free))
}
