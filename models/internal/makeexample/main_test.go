package main

import (
	"path/filepath"
	"testing"
)

// TestCut cuts the embedded samples further and looks at what is kept.
func TestCut(t *testing.T) {
	dir := t.TempDir()
	if err := run([]string{"--data", "../../example", "--out", dir, "--train", "50", "--test", "20"}); err != nil {
		t.Fatal(err)
	}
	labels, err := read(filepath.Join(dir, "train-labels-idx1-ubyte.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var count [classes]int
	for _, l := range labels[8:] {
		count[l]++
	}
	for c, n := range count {
		if n != 5 {
			t.Errorf("%d samples of class %d", n, c)
		}
	}
	images, err := read(filepath.Join(dir, "t10k-images-idx3-ubyte.gz"))
	if err != nil || len(images) != 16+20*28*28 {
		t.Errorf("%d bytes of samples, %v", len(images), err)
	}
	if err := run([]string{"--data", dir, "--out", t.TempDir()}); err == nil {
		t.Error("more samples than there are")
	}
}
