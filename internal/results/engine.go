package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// step is the part of `bench train --json` that the table shows.
type step struct {
	MS      float64 `json:"ms_per_step"`
	GFLOPS  float64 `json:"gflops"`
	Share   float64 `json:"fraction_of_peak"`
	RSS     float64 `json:"peak_rss_mb"`
	Threads int     `json:"threads"`
}

// peerStep is what the PyTorch script prints.
type peerStep struct {
	MS  float64 `json:"ms_per_step"`
	RSS float64 `json:"peak_rss_mb"`
}

// rounds is how often each row is measured; the median is shown.
const rounds = 3

// engineRows times models beside PyTorch. MPQC_TORCH_PYTHON names an interpreter that has it; without one those columns stay
// empty.
func engineRows(ctx context.Context, r *runner) ([]string, error) {
	var rows []string
	for _, m := range []struct {
		model, peer string
		batch, size int
		threads     int
	}{
		{"resnet20-cifar10", "resnet20", 128, 32, 0},
		{"resnet20-cifar10", "", 128, 32, 1},
		{"resnet20-cifar10", "", 1, 32, 0},
		{"resnet20-cifar10", "", 16, 32, 0},
		{"resnet20-cifar10", "", 256, 32, 0},
		{"resnet18-cifar10-64", "resnet18", 64, 64, 0},
		{"mobilenetv2-cifar10-64", "mobilenetv2", 64, 64, 0},
	} {
		command := fmt.Sprintf("mpqc bench train --model $S/models/%s.onnx --batch %d --paths 4", m.model, m.batch)
		if m.threads > 0 {
			command += fmt.Sprintf(" --threads %d", m.threads)
		}
		var steps []step
		var peers []peerStep
		for range rounds { // in turn, so that both see the same load of the machine
			var s step
			if _, err := r.run(ctx, command, &s); err != nil {
				return nil, err
			}
			peer, err := r.peer(ctx, m.peer, m.batch, m.size)
			if err != nil {
				return nil, err
			}
			steps, peers = append(steps, s), append(peers, peer)
		}
		slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.MS, b.MS) })
		slices.SortFunc(peers, func(a, b peerStep) int { return cmp.Compare(a.MS, b.MS) })
		s, peer := steps[rounds/2], peers[rounds/2]
		beside := " | | "
		if peer.MS > 0 {
			beside = fmt.Sprintf("%.0f | %.2fx | %.0f", peer.MS, peer.MS/s.MS, peer.RSS)
		}
		rows = append(rows, fmt.Sprintf("| %s | %d | %d | %.1f | %.1f | %.3f | %.0f | %s | `%s` |", m.model, m.batch, s.Threads, s.MS, s.GFLOPS, s.Share, s.RSS, beside, command))
	}
	return rows, nil
}

// peer runs the PyTorch step both ways and returns the faster one.
func (r *runner) peer(ctx context.Context, model string, batch, size int) (best peerStep, err error) {
	python := os.Getenv("MPQC_TORCH_PYTHON")
	if python == "" || model == "" {
		return best, nil
	}
	for _, fuse := range []bool{false, true} {
		args := []string{filepath.Join(r.shared, "peers", "torch_oneshot.py"), "--model", model, "--batch", fmt.Sprint(batch), "--size", fmt.Sprint(size)}
		if fuse {
			args = append(args, "--fuse")
		}
		c := exec.CommandContext(ctx, python, args...)
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			return best, fmt.Errorf("%s %s: %w", python, strings.Join(args, " "), err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		var s peerStep
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
			return best, fmt.Errorf("decode what %s printed: %w", args[0], err)
		}
		if best.MS == 0 || s.MS < best.MS {
			best = s
		}
	}
	return best, nil
}
