//go:build linux

package cmd

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// slack is MB that a busy machine adds: sessions side by side close later, and the collector comes later.
const slack = 100

// TestMemoryEstimate: what a refusal says that a run takes is what it takes, by the system's own account.
func TestMemoryEstimate(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	binary, data := mpqc(t), smallData(t, t.TempDir(), 512, 48)
	for _, tc := range []struct {
		name string
		args []string
	}{
		{"training", []string{"--epochs", "2", "--train-samples", "512", "--batch", "512", "--paths", "2"}},
		{"post-training", []string{"--epochs", "0"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := slices.Concat([]string{"compress", "--target", "4.0bit", "--data", data, "--threads", "2"}, tc.args, small)
			refused, err := command(t, binary, t.TempDir(), append(args, "--max-memory", "1MB")).CombinedOutput()
			needRuntime(t, exitFailed, string(refused))
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
			c := command(t, binary, t.TempDir(), append(args, "--max-memory", fmt.Sprintf("%.0fMB", estimate+1)))
			if text, err := c.CombinedOutput(); err != nil {
				t.Fatalf("within the estimate: %v: %s", err, text)
			}
			usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
			if !ok {
				t.Fatal("the system does not tell the peak of the resident memory")
			}
			peak := float64(usage.Maxrss) * 1024 / 1e6 // Linux counts kilobytes
			t.Logf("estimate %.0f MB, peak %.0f MB, %.2f times", estimate, peak, peak/estimate)
			if peak > 1.3*estimate+slack || peak < 0.5*estimate {
				t.Errorf("a run that was estimated at %.0f MB took %.0f MB", estimate, peak)
			}
		})
	}
}
