package legible

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestEscapes(t *testing.T) {
	for _, c := range []struct{ name, in, line, text string }{
		{"plain", "conv1/Relu:0", "conv1/Relu:0", "conv1/Relu:0"},
		{"other scripts", "卷积 café Ω е\u0301 日本", "卷积 café Ω е\u0301 日本", "卷积 café Ω е\u0301 日本"},
		{"emoji", "layer 🚀", "layer 🚀", "layer 🚀"},
		{"colour", "a\x1b[31mred\x1b[0m", `a\x1b[31mred\x1b[0m`, `a\x1b[31mred\x1b[0m`},
		{"title and bell", "\x1b]0;owned\a", `\x1b]0;owned\x07`, `\x1b]0;owned\x07`},
		{"C1", "x\u009b2J\u0085", `x\u009b2J\u0085`, `x\u009b2J\u0085`},
		{"delete", "a\x7f", `a\u007f`, `a\u007f`},
		{"direction", "a\u202etxt.exe\u2066", `a\u202etxt.exe\u2066`, `a\u202etxt.exe\u2066`},
		{"invisible", "a\u200bb\ufeff\u00adc", `a\u200bb\ufeff\u00adc`, `a\u200bb\ufeff\u00adc`},
		{"separators", "a\u2028b\u2029", `a\u2028b\u2029`, `a\u2028b\u2029`},
		{"tags", "\U000e0041", `\udb40\udc41`, `\udb40\udc41`},
		{"no UTF-8", "a\xffb\xc3", `a\xffb\xc3`, `a\xffb\xc3`},
		{"lines", "a\nb\tc\r\n", `a\x0ab\x09c\x0d\x0a`, "a\nb\tc\\x0d\n"},
		{"NUL", "a\x00b", `a\x00b`, `a\x00b`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Line(c.in); got != c.line {
				t.Errorf("line %q, want %q", got, c.line)
			}
			if got := Text(c.in); got != c.text {
				t.Errorf("text %q, want %q", got, c.text)
			}
		})
	}
}

// TestWriter writes text in pieces that end within characters.
func TestWriter(t *testing.T) {
	const in = "卷积 \x1b[31m é \u202e 🚀\n"
	for size := 1; size < 7; size++ {
		var b bytes.Buffer
		w := To(&b)
		for rest := []byte(in); len(rest) > 0; {
			n := min(size, len(rest))
			if k, err := w.Write(rest[:n]); k != n || err != nil {
				t.Fatalf("%d, %v", k, err)
			}
			rest = rest[n:]
		}
		if b.String() != Text(in) {
			t.Errorf("pieces of %d: %q", size, b.String())
		}
	}
	if Raw(To(nil)) != nil {
		t.Error("the writer below is another one")
	}
}

// TestJSON: a document means the same behind a Writer, and shows nothing hidden.
func TestJSON(t *testing.T) {
	var all strings.Builder
	for r := range rune(0x10ffff) {
		if hidden(r) {
			all.WriteRune(r)
		}
	}
	var b bytes.Buffer
	if err := json.NewEncoder(To(&b)).Encode(all.String()); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got != all.String() {
		t.Errorf("another text, %v", err)
	}
	if i := strings.IndexFunc(strings.TrimSuffix(b.String(), "\n"), hidden); i >= 0 {
		t.Errorf("%q at %d is hidden", b.String()[i:i+4], i)
	}
}
