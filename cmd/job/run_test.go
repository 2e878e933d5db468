package job

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit/drawn"
)

func TestLong(t *testing.T) {
	from, _ := strconv.Atoi(os.Getenv("FROM"))
	to, _ := strconv.Atoi(os.Getenv("TO"))
	for i := from; i < to; i++ {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(i), 99))
			script := make([]byte, 4)
			for k := range script {
				script[k] = byte(rng.IntN(256))
			}
			n, err := drawn.Draw(script)
			if err != nil {
				t.Fatalf("%q %v", script, err)
			}
			defer func() {
				if t.Failed() {
					t.Logf("script %q", script)
				}
			}()
			agrees(t, n)
		})
	}
}
