package cpumask

import (
	"bytes"
	"testing"
)

func TestMaskCode(t *testing.T) {
	for _, c := range []struct {
		name       string
		code, want []byte
		changed    int
	}{
		{"none", []byte{0x90, 0x90}, []byte{0x90, 0x90}, 0},
		{"behind xor", []byte{0x31, 0xc9, 0x0f, 0x01, 0xd0, 0x90}, []byte{0x31, 0xc9, 0x6a, 0x07, 0x58, 0x90}, 1},
		{"behind mov", []byte{0xb9, 0, 0, 0, 0, 0x90, 0x0f, 0x01, 0xd0}, []byte{0xb9, 0, 0, 0, 0, 0x90, 0x6a, 0x07, 0x58}, 1},
		{"part of a constant", []byte{0x69, 0xc0, 0x0f, 0x01, 0xd0, 0x10}, []byte{0x69, 0xc0, 0x0f, 0x01, 0xd0, 0x10}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := bytes.Clone(c.code)
			if n := maskCode(got); n != c.changed || !bytes.Equal(got, c.want) {
				t.Errorf("%x at %d places, want %x at %d", got, n, c.want, c.changed)
			}
		})
	}
}
