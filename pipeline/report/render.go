package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"

	"github.com/mpqc/mpqc/internal/legible"
	"github.com/mpqc/mpqc/pipeline/record"
)

//go:embed report.html.tmpl
var page string

//go:embed report.css
var style string

// render renders the page.
func render(doc document) ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"style":   func() template.CSS { return template.CSS(style) },
		"percent": percent, "points": points, "ops": ops, "bytes": byteText, "count": count, "number": number, "times": times, "json": indented,
		"strip":  func(i int) strip { return newStrip(doc, i) },
		"pareto": func() front { return newFront(doc) },
		"course": func() course { return newCourse(doc.Artifacts.Training) },
		"first":  firstFile, "proof": newProof, "fused": newFusion, "quantized": quantized, "allVerified": allVerified,
		"turbulence": doc.turbulence,
		"sizes":      func(i int) sizes { return newSizes(doc.Result.Results[i]) },
		"search":     func(i int) found { return doc.Searches[i] },
		"polished":   polished,
		"judgment":   func(i int) judgment { return newJudgment(doc.Searches[i], doc.Result.Results[i]) },
		"stages":     func() []stageRow { return stages(doc.Manifest) },
		"unfused":    func() []record.ImportLayer { return floatLayers(doc.Artifacts) },
		"base":       base,
		"outputs":    record.OutputsText,
	}).Parse(page)
	if err != nil {
		return nil, fmt.Errorf("parse report template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, doc); err != nil {
		return nil, fmt.Errorf("render report: %w", err)
	}
	return []byte(legible.Text(b.String())), nil
}

// percent formats a share; a missing one is a dash.
func percent(v any) string {
	switch x := v.(type) {
	case *float64:
		if x != nil {
			return percent(*x)
		}
	case float64:
		return fmt.Sprintf("%.2f %%", 100*x)
	}
	return "–"
}

// points formats the difference of two shares in percentage points, "" if one is missing.
func points(a, b *float64) string {
	if a == nil || b == nil {
		return ""
	}
	return strings.Replace(fmt.Sprintf("%+.2f", 100*(*a-*b)), "-", "−", 1)
}

// ops formats a number of bit operations or multiplications.
func ops(n int64) string { return scaled(float64(n), "", "k", "M", "G", "T") }

// byteText formats a size in powers of ten.
func byteText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	return scaled(float64(n), "B", "kB", "MB", "GB", "TB")
}

// scaled formats a number with the unit that fits it.
func scaled(v float64, units ...string) string {
	i := 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1000
	}
	digits := 0
	if i > 0 {
		digits = max(2-int(math.Log10(max(v, 1))), 0)
	}
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', digits, 64) + " " + units[i])
}

// count formats a number with grouped digits.
func count(n any) string {
	s := fmt.Sprint(n)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteString("\u202f") // narrow space that does not break
		}
		b.WriteRune(c)
	}
	return b.String()
}

// number formats a loss with three significant digits.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := min(max(2-int(math.Floor(math.Log10(math.Abs(v)))), 0), 6)
	return strings.Replace(strconv.FormatFloat(v, 'f', digits, 64), "-", "−", 1)
}

// times formats how many times as large a is as b, "" if either is missing.
func times(a, b any) string {
	x, y := float(a), float(b)
	if x <= 0 || y <= 0 {
		return ""
	}
	return strconv.FormatFloat(x/y, 'f', 2, 64) + "×"
}

// float converts any number, or a pointer to one.
func float(v any) float64 {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case float64:
		return x
	}
	return 0
}

// base is the last part of a path of any system.
func base(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }
