package program

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// Watched is a buffer that tells when a text has come, or another one.
type Watched struct {
	Text, Or string        // Or: "" for none
	Seen     chan struct{} // closed when one has come

	mu sync.Mutex
	b  bytes.Buffer
	at time.Time
}

// Watch makes a buffer that waits for a text.
func Watch(text string) *Watched {
	return &Watched{Text: text, Seen: make(chan struct{})}
}

// Write adds to the buffer.
func (w *Watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.b.Write(p)
	if s := w.b.String(); w.at.IsZero() && (strings.Contains(s, w.Text) || w.Or != "" && strings.Contains(s, w.Or)) {
		w.at = time.Now()
		close(w.Seen)
	}
	return n, err
}

// String is what the buffer holds.
func (w *Watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// At is when the text, or the other one, came; the zero time: not yet.
func (w *Watched) At() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}
