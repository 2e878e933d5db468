//go:build linux

package fault

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestDiskFull: on a file system that is full to a few kilobytes a further target fails with a message that names the
// file, everything that was there before stays as it was, and with room again the same command goes on.
func TestDiskFull(t *testing.T) {
	binary, disk, ws := exampleOnDisk(t)
	before := contents(t, ws)
	fill(t, disk, 24<<10)

	args := []string{"compress", "--target", "3.5bit", "--workspace", ws}
	text, err := program.Command(t, binary, disk, args).CombinedOutput()
	if err == nil || !strings.Contains(string(text), "no space left on device") || !strings.Contains(string(text), "write "+ws) {
		t.Fatalf("%v: %s", err, text)
	}
	after := contents(t, ws)
	for name, was := range before {
		// The manifest records options before the first stage; that it still counts shows below.
		if now, ok := after[name]; !strings.HasPrefix(name, "manifest.") && name != "lock" && (!ok || now != was) {
			t.Errorf("%s changed", name)
		}
	}
	tidied(t, ws)
	empty(t, disk)
	text, err = program.Command(t, binary, disk, args).CombinedOutput()
	if err != nil || strings.Contains(string(text), "calibrate        ") {
		t.Errorf("with room again: %v: %s", err, text)
	}
}

// TestFileSizeLimit is the same for a limit of the shell on the size of a file, in the first command of all.
func TestFileSizeLimit(t *testing.T) {
	binary, dir := program.Binary(t), t.TempDir()
	c := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -f 20; exec "$0" compress --epochs 0`, binary)
	c.Dir = dir
	text, err := c.CombinedOutput()
	program.NeedRuntime(t, exit.Failed, string(text))
	if err == nil || c.ProcessState.ExitCode() != exit.Failed || !strings.Contains(string(text), "mpqc: write example.mpqc/source/example.onnx: file too large") {
		t.Errorf("%v: %s", err, text)
	}
	if left := contents(t, dir); len(left) > 1 { // the lock
		t.Errorf("left behind %d files", len(left))
	}
}

// TestDiskFullInTraining: a checkpoint for which there is no room ends the training with the file's name, also where
// the checkpoint is the last one, after an interrupt. The checkpoint before stays, and with room again training goes
// on.
func TestDiskFullInTraining(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	binary, data := program.Binary(t), sample.SmallData(t, t.TempDir(), 256, 48)
	for _, tc := range []struct {
		name, every string
		code        int
	}{{"checkpoint", "20ms", exit.Failed}, {"interrupt", "1h", exit.Interrupted}} {
		t.Run(tc.name, func(t *testing.T) {
			disk := smallDisk(t)
			ws := filepath.Join(disk, "example.mpqc")
			checkpoint := filepath.Join(ws, "checkpoint.safetensors")
			args := append([]string{
				"compress", "--target", "4.0bit", "--data", data, "--workspace", ws, "--checkpoint-every", tc.every,
				"--epochs", "5", "--train-samples", "256", "--batch", "16", "--paths", "2",
			}, program.Small...)
			c := program.Command(t, binary, disk, args)
			stderr := program.Watch("steps of")
			c.Stderr = stderr
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- c.Wait() }()
			select {
			case <-stderr.Seen:
			case err := <-done:
				program.NeedRuntime(t, exit.Failed, stderr.String())
				t.Fatalf("before training: %v\n%s", err, stderr.String())
			}
			if tc.code == exit.Interrupted {
				occupy(t, disk)
				if err := c.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
			}
			ended := false
			for !ended {
				select {
				case <-done:
					ended = true
				case <-time.After(time.Millisecond):
					if _, err := os.Stat(checkpoint); err == nil { // each one frees the room of the one before
						occupy(t, disk)
					}
				}
			}
			text := stderr.String()
			if code := c.ProcessState.ExitCode(); code != tc.code || !strings.Contains(text, "write "+checkpoint+": no space left on device") {
				t.Fatalf("exit code %d: %s", code, text)
			}
			if strings.Contains(text, "checkpoints are kept") {
				t.Errorf("promises what is not so: %s", text)
			}
			tidied(t, ws)
			empty(t, disk)
			again, err := program.Command(t, binary, disk, args).CombinedOutput()
			if kept := tc.code == exit.Failed; err != nil || strings.Contains(string(again), resumes) != kept {
				t.Errorf("with room again: %v: %s", err, again)
			}
		})
	}
}

// TestReadOnlyDisk: on a file system that takes no writes a further target fails with a message that names the
// workspace, and a file in it can still be measured.
func TestReadOnlyDisk(t *testing.T) {
	binary, disk, ws := exampleOnDisk(t)
	before := contents(t, ws)
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"compress", "--target", "3.5bit"}, {"search", "--target", "3.5bit"}, {"export", "--profile", "qnn"}} {
		c := program.Command(t, binary, t.TempDir(), append(args, "--workspace", ws))
		text, err := c.CombinedOutput()
		if err == nil || c.ProcessState.ExitCode() != exit.Failed || !strings.Contains(string(text), "read-only file system") || !strings.Contains(string(text), ws) {
			t.Errorf("%v: %v: %s", args, err, text)
		}
	}
	text, err := program.Command(t, binary, t.TempDir(), []string{"eval", filepath.Join(ws, "out", "example-4.0bit.ort.onnx")}).CombinedOutput()
	if err != nil {
		t.Errorf("eval: %v: %s", err, text)
	}
	if !maps.Equal(before, contents(t, ws)) {
		t.Error("the workspace changed")
	}
}

// exampleOnDisk is a binary, a small disk, and a copy of the example's workspace on it.
func exampleOnDisk(t *testing.T) (binary, disk, ws string) {
	t.Helper()
	binary = program.Binary(t)
	program.Example(t)
	disk = smallDisk(t)
	ws = filepath.Join(disk, "example.mpqc")
	if err := os.CopyFS(ws, os.DirFS("example.mpqc")); err != nil {
		t.Fatal(err)
	}
	return binary, disk, ws
}

// smallDisk is the folder of a file system of 64 MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) { // also of a root without that right
			t.Skipf("a small file system cannot be mounted here: %v; TestFileSizeLimit does without", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// occupy takes all room that a file system has left.
func occupy(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "filler"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // full or not
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}

// empty takes away what occupy and fill wrote.
func empty(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
}

// tidied checks that no unfinished file lies in a workspace.
func tidied(t *testing.T, ws string) {
	t.Helper()
	for name := range contents(t, ws) {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("left behind %s", name)
		}
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
	sample.Write(t, filepath.Join(dir, "filler"), make([]byte, int(s.Bavail)*int(s.Bsize)-free))
}
