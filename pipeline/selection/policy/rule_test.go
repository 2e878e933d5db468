package policy

import "testing"

// TestParseRule: a pattern and both widths, or an error that shows how they are written.
func TestParseRule(t *testing.T) {
	for text, want := range map[string]Rule{
		"layer1.conv1=8/8": {"layer1.conv1", 8, 8}, " layer4.*=4/8 ": {"layer4.*", 4, 8}, "a=b=2/3": {"a=b", 2, 3}, "x": {}, "x=4": {}, "=4/4": {}, "x=a/4": {},
	} {
		got, err := ParseRule(text)
		if got != want || (err == nil) != (want != Rule{}) {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
}
