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

// steps time models beside PyTorch. MPQC_TORCH_PYTHON names an interpreter that has it; without one those columns stay
// empty.
func steps() []unit {
	var units []unit
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
		units = append(units, unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
			s, peer, err := r.besidePeer(ctx, command, m.peer, m.batch, m.size)
			if err != nil {
				return nil, err
			}
			cells := []string{
				m.model, fmt.Sprint(m.batch), fmt.Sprint(s.Threads), fmt.Sprintf("%.1f", s.MS), fmt.Sprintf("%.1f", s.GFLOPS),
				fmt.Sprintf("%.3f", s.Share), fmt.Sprintf("%.0f", s.RSS), "", "", "",
			}
			if peer.MS > 0 {
				copy(cells[7:], []string{fmt.Sprintf("%.0f", peer.MS), fmt.Sprintf("%.2fx", peer.MS/s.MS), fmt.Sprintf("%.0f", peer.RSS)})
			}
			return []row{r.row(command, cells...)}, nil
		}})
	}
	return units
}

// besidePeer runs both in turn, so that they see the same load of the machine, and returns the medians.
func (r *runner) besidePeer(ctx context.Context, command, model string, batch, size int) (step, peerStep, error) {
	var own []step
	var peers []peerStep
	for range rounds {
		var s step
		if _, err := r.run(ctx, command, &s); err != nil {
			return step{}, peerStep{}, err
		}
		peer, err := r.peer(ctx, model, batch, size)
		if err != nil {
			return step{}, peerStep{}, err
		}
		own, peers = append(own, s), append(peers, peer)
	}
	slices.SortFunc(own, func(a, b step) int { return cmp.Compare(a.MS, b.MS) })
	slices.SortFunc(peers, func(a, b peerStep) int { return cmp.Compare(a.MS, b.MS) })
	return own[rounds/2], peers[rounds/2], nil
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
