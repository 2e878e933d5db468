package job

import (
	"os"
	"strconv"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit/drawn"
)

func TestOne(t *testing.T) {
	s, err := strconv.Unquote(`"` + os.Getenv("SCRIPT") + `"`)
	if err != nil {
		t.Fatal(err)
	}
	n, err := drawn.Draw([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(drawn.Listing(n.Model), n.Bits)
	_ = n.Model.Save("/tmp/one-agree.onnx")
	agrees(t, n)
}
