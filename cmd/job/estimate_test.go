//go:build linux

package job

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// slack is MB that a busy machine adds: sessions side by side close later, and the collector comes later.
const slack = 100

// TestMemoryEstimate: what a refusal says that a run takes is what it takes, by the system's own account.
func TestMemoryEstimate(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	binary, data := program.Binary(t), sample.SmallData(t, t.TempDir(), 512, 48)
	for _, tc := range []struct {
		name string
		args []string
	}{
		{"training", []string{"--epochs", "2", "--train-samples", "512", "--batch", "512", "--paths", "2"}},
		{"post-training", []string{"--epochs", "0"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := slices.Concat([]string{"compress", "--target", "4.0bit", "--data", data, "--threads", "2"}, tc.args, program.Small)
			refused, err := program.Command(t, binary, t.TempDir(), append(args, "--max-memory", "1MB")).CombinedOutput()
			program.NeedRuntime(t, exit.Failed, string(refused))
			var estimate float64
			for _, m := range regexp.MustCompile(`takes about (\d+) MB`).FindAllStringSubmatch(string(refused), -1) {
				n, err := strconv.ParseFloat(m[1], 64)
				if err != nil {
					t.Fatal(err)
				}
				estimate = max(estimate, n)
			}
			if err == nil || estimate == 0 {
				t.Fatalf("%v: %s", err, refused)
			}
			c := program.Command(t, binary, t.TempDir(), append(args, "--max-memory", fmt.Sprintf("%.0fMB", estimate+1)))
			peak := peakMB(t, c)
			t.Logf("estimate %.0f MB, peak %.0f MB, %.2f times", estimate, peak, peak/estimate)
			if peak > 1.3*estimate+slack || peak < 0.5*estimate {
				t.Errorf("a run that was estimated at %.0f MB took %.0f MB", estimate, peak)
			}
		})
	}
}

// peakMB runs a program and returns the peak of its resident memory. What the system says after its end would count
// this process, too, which the program was forked from.
func peakMB(t *testing.T, c *exec.Cmd) float64 {
	t.Helper()
	var text bytes.Buffer
	c.Stdout, c.Stderr = &text, &text
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	var peak float64
	for {
		select {
		case err := <-ended:
			if err != nil || peak == 0 {
				t.Fatalf("%v, peak %g: %s", err, peak, text.Bytes())
			}
			return peak
		case <-time.After(2 * time.Millisecond):
			if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid)); err == nil {
				if m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status); m != nil {
					kb, err := strconv.ParseFloat(string(m[1]), 64)
					if err != nil {
						t.Fatal(err)
					}
					peak = max(peak, kb*1024/1e6)
				}
			}
		}
	}
}
