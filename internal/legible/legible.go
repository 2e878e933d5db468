// Package legible escapes what a terminal would hide or obey in text from files and their names: control characters,
// terminal escapes, marks that change the direction of writing, other invisible characters, and invalid UTF-8. They
// become \x1b, \u202e and the like.
package legible

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line escapes text that must take one line: line ends and tabs, too.
func Line(s string) string { return escape(s, "") }

// Text escapes text of several lines: line ends and tabs stay.
func Text(s string) string { return escape(s, "\n\t") }

// escape escapes all hidden characters but those in keep. The escapes are valid in JSON for all characters that
// encoding/json leaves as they are.
func escape(s, keep string) string {
	var b *strings.Builder
	done := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		broken := r == utf8.RuneError && n == 1
		if broken || hidden(r) && !strings.ContainsRune(keep, r) {
			if b == nil {
				b = &strings.Builder{}
			}
			b.WriteString(s[done:i])
			switch {
			case broken:
				fmt.Fprintf(b, `\x%02x`, s[i])
			case r < 0x20:
				fmt.Fprintf(b, `\x%02x`, r)
			case r < 1<<16:
				fmt.Fprintf(b, `\u%04x`, r)
			default:
				hi, lo := utf16.EncodeRune(r)
				fmt.Fprintf(b, `\u%04x\u%04x`, hi, lo)
			}
			done = i + n
		}
		i += n
	}
	if b == nil {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// hidden reports whether a character is invisible, or changes how others are shown.
func hidden(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// Writer writes what Text returns. If a write ends within a character, its bytes are kept for the next write.
type Writer struct {
	raw  io.Writer
	rest []byte
}

// To returns a Writer on w.
func To(w io.Writer) *Writer { return &Writer{raw: w} }

// Raw returns the writer below a Writer, for callers that write escapes of their own.
func Raw(w io.Writer) io.Writer {
	if l, ok := w.(*Writer); ok {
		return l.raw
	}
	return w
}

// Write writes Text(p). It reports len(p) on success.
func (w *Writer) Write(p []byte) (int, error) {
	text := append(w.rest, p...)
	end := len(text)
	for k := 1; k < utf8.UTFMax && k <= len(text); k++ {
		if tail := text[len(text)-k:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				end -= k
			}
			break
		}
	}
	w.rest = append([]byte(nil), text[end:]...)
	if _, err := io.WriteString(w.raw, Text(string(text[:end]))); err != nil {
		return 0, err
	}
	return len(p), nil
}
