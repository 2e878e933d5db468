package policy

import "testing"

// FuzzPolicy wants rows or an error for any text that somebody saved as a policy; rows name their lines.
func FuzzPolicy(f *testing.F) {
	for _, s := range []string{
		"", "conv1 = 4/8  # w 2,3,4; a 4,8\nlayer1.0 = 2/3\n", "# nothing\n", "a = b = 3/4", "x=99/99", `[{"node":"a","w":1,"a":2}]`,
		`{"policy":[{"node":"a","w":4,"a":4}]}`, `{"results":[{"target":"4bit","policy":[]}]}`, `{"policy":{"W":[1],"A":[2]}}`, "[", "{",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := rowsOf(data)
		if err != nil && err.Error() == "" {
			t.Error("an error without text")
		}
		for _, r := range rows {
			if r.line < 0 {
				t.Errorf("row %+v", r)
			}
		}
	})
}
