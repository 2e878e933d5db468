package policy

import (
	"fmt"
	"strings"
)

// Rule sets the widths of all layers whose nodes match a pattern: a --pin or a --cap.
type Rule struct {
	Pattern string
	W, A    int
}

// ParseRule parses NODE=W/A, for example layer4.*=4/8, and any line of a policy file. Anything else is an error.
func ParseRule(s string) (Rule, error) {
	if name, w, a, ok := Line(strings.TrimSpace(s)); ok {
		return Rule{name, w, a}, nil
	}
	return Rule{}, fmt.Errorf("%q: want NODE=W/A, for example layer1.conv1=8/8", s)
}
