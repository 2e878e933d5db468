package report

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestContrast: every text of the report stands out from what it stands on by 4.5 to 1, in light and dark.
func TestContrast(t *testing.T) {
	light, dark, found := strings.Cut(style, "prefers-color-scheme: dark")
	if !found {
		t.Fatal("the style has no dark scheme")
	}
	for name, scheme := range map[string]string{"light": light, "dark": dark} {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([\w-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(scheme, -1) {
			colour[m[1]] = luminance(t, m[2])
		}
		for _, pair := range [][2]string{
			{"fg", "bg"},
			{"soft", "bg"},
			{"soft", "panel"},
			{"fg", "panel"},
			{"good", "bg"},
			{"bad", "bg"},
			{"on-w", "w"},
			{"on-a", "a"},
			{"on-fixed", "w-fixed"},
			{"on-fixed", "a-fixed"},
		} {
			text, ok := colour[pair[0]]
			ground, also := colour[pair[1]]
			if c := (max(text, ground) + 0.05) / (min(text, ground) + 0.05); !ok || !also || c < 4.5 {
				t.Errorf("%s: %s on %s has contrast %.2f", name, pair[0], pair[1], c)
			}
		}
	}
	// A faded element takes its text along.
	if m := regexp.MustCompile(`[^-]opacity:`).FindString(style); m != "" {
		t.Errorf("the style fades elements with %q", m)
	}
}

// luminance is that of WCAG 2.
func luminance(t *testing.T, hex string) (sum float64) {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v := float64(n>>(16-8*i)&255) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
