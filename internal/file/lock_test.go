package file

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// envHold makes this test binary a process that locks a folder and waits to be killed.
const envHold = "MPQC_TEST_HOLD_LOCK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envHold); dir != "" {
		_, err := Acquire(dir)
		_, _ = fmt.Fprintln(os.Stdout, "locked:", err)
		_, _ = os.Stdin.Read(make([]byte, 1)) // until killed
		return
	}
	m.Run()
}

// TestLockSurvivesItsHolder: a second process is refused and told whom to ask; a holder that was killed holds nothing.
func TestLockSurvivesItsHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m.mpqc")
	holder := hold(t, dir)
	_, err := Acquire(dir)
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("the second lock: %v", err)
	}
	for _, part := range []string{dir, fmt.Sprintf("process %d on ", holder.Process.Pid)} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // "signal: killed"
	l, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Unlock()
}

// hold starts a process that holds the lock of a folder.
func hold(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), envHold+"="+dir)
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "locked: <nil>\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return c
}

// TestUnlock: a folder goes away with its lock where nothing else is in it, and stays where something is.
func TestUnlock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m.mpqc")
	for _, keep := range []bool{false, true} {
		l, err := Acquire(dir)
		if err != nil {
			t.Fatal(err)
		}
		if keep {
			if err := WriteBytes(filepath.Join(dir, "a"), nil); err != nil {
				t.Fatal(err)
			}
		}
		l.Unlock()
		if _, err := os.Stat(dir); (err == nil) != keep {
			t.Errorf("keep %v: %v", keep, err)
		}
	}
}
