package record

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
)

// TestArithmetic: what is said about a file follows from what was counted, and what was not counted is null.
func TestArithmetic(t *testing.T) {
	three := []FloatOp{{Node: "a"}, {Node: "b"}, {Node: "c"}}
	for _, c := range []struct {
		name    string
		file    File
		want    string
		integer string
		floats  string
	}{
		{"nothing fused", File{Profile: export.ProfileORT, IntegerOps: new(0), FloatOps: three}, "float: onnxruntime fused none of 3", "0", "[{"},
		{"some fused", File{Profile: export.ProfileORT, IntegerOps: new(7), FloatOps: three}, "in 7 of 10 operators", "7", "[{"},
		{"all fused", File{Profile: export.ProfileORT, IntegerOps: new(7), FloatOps: []FloatOp{}}, "in all 7 operators", "7", "[]"},
		{"not measured", File{Profile: export.ProfileTRT}, "int8", "null", "null"},
		{"not measured, as it was written before", File{Profile: export.ProfileTRT, IntegerOps: new(0), FloatOps: []FloatOp{}}, "int8", "null", "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.file
			f.SayArithmetic()
			if !strings.Contains(f.Arithmetic, c.want) {
				t.Errorf("it says %q, %q wanted", f.Arithmetic, c.want)
			}
			data, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{`"integer_ops":` + c.integer + ",", `"float_ops":` + c.floats} {
				if !strings.Contains(string(data), want) {
					t.Errorf("JSON lacks %s: %s", want, data)
				}
			}
		})
	}
}
