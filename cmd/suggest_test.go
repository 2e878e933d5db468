package cmd

import "testing"

func TestNearest(t *testing.T) {
	flags := compressCommand().Flags
	for name, want := range map[string]string{
		"targt": "--target", "targets": "--target", "epoch": "--epochs", "batch-size": "--batch", "workspce": "--workspace",
		"nosuch": "", "x": "", "verbosity": "", "no-labls": "--no-labels",
	} {
		if got := nearest(flags, name); got != want {
			t.Errorf("--%s: suggests %q, want %q", name, got, want)
		}
	}
}
